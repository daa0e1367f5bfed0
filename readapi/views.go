package readapi

import (
	"context"
	"time"

	"portal.example/internal/api"
)

// staffPatience bounds what recording a look by staff may cost them.
const staffPatience = 300 * time.Millisecond

// viewed records that the principal is about to see a document. A customer does
// not see it unless that is in the log; staff do, for their looking settles
// nothing.
func (d Deps) viewed(ctx context.Context, id string, recorded func(context.Context, api.Principal, string) error) error {
	who, _ := api.PrincipalFrom(ctx)
	if who.IsCustomer() {
		return recorded(ctx, who, id)
	}
	bounded, cancel := context.WithTimeout(ctx, staffPatience)
	defer cancel()
	if err := recorded(bounded, who, id); err != nil {
		d.Logger.WarnContext(ctx, "a look by staff is not recorded", "record", id, "error", err)
	}
	return nil
}
