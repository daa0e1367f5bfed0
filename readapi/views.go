package readapi

import (
	"context"
	"time"

	"portal.example/internal/api"
)

// staffPatience bounds what recording a look by staff may cost them.
const staffPatience = 300 * time.Millisecond

type recorder func(ctx context.Context, who api.Principal, id string, version int) error

// viewed records that the principal is about to see a version of a document. A
// customer does not see it unless that is in the log; staff do, for their looking
// settles nothing.
func (d Deps) viewed(ctx context.Context, id string, version int, recorded recorder) error {
	who, _ := api.PrincipalFrom(ctx)
	if who.IsCustomer() {
		return recorded(ctx, who, id, version)
	}
	bounded, cancel := context.WithTimeout(ctx, staffPatience)
	defer cancel()
	if err := recorded(bounded, who, id, version); err != nil {
		d.Logger.WarnContext(ctx, "a look by staff is not recorded", "record", id, "error", err)
	}
	return nil
}
