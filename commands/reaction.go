package commands

import (
	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

// Reacting is the envelope of what the portal does by itself because of an
// event, once: however often the event wakes it, it is the same command.
func (r *Room) Reacting(e reactions.Event, operation string) (eventstore.Metadata, error) {
	m, err := r.SystemCommand(e.Business, operation, e.ID.String())
	m.CorrelationID, m.CausationID = e.CorrelationID, e.ID
	return m, err
}
