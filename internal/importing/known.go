package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"portal.example/eventstore"
)

// known are the commands that have left events in a case's stream. Execute
// would recognise a repeat as well, but reads the stream for each: this reads it
// once for all rows.
type known map[uuid.UUID]eventstore.Fingerprint

func (r *run) known(ctx context.Context, stream string) (known, error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	commands := known{}
	for e, err := range r.log.ReadStream(ctx, stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		var m struct {
			CommandID   uuid.UUID              `json:"commandId"`
			Fingerprint eventstore.Fingerprint `json:"fingerprint"`
		}
		if err := json.Unmarshal(e.Metadata, &m); err != nil {
			return nil, fmt.Errorf("metadata of event %d of %s: %w", e.Revision, stream, err)
		}
		commands[m.CommandID] = m.Fingerprint
	}
	return commands, nil
}

// done says whether the command has been carried out. Where another one was,
// under its id, that is ErrKeyReused.
func (k known) done(m eventstore.Metadata) (bool, error) {
	fingerprint, found := k[m.CommandID]
	if found && fingerprint != m.Fingerprint {
		return false, eventstore.ErrKeyReused
	}
	return found, nil
}
