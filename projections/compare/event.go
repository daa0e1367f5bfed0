package compare

import (
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
)

// Event is an event as an explanation names it: who did what, when, and by which
// command. What it says is left out, for that may be personal.
type Event struct {
	ID         uuid.UUID  `json:"id"`
	Type       string     `json:"type"`
	Position   string     `json:"position"`
	Stream     string     `json:"stream"`
	Revision   uint64     `json:"revision"`
	Actor      Actor      `json:"actor"`
	Origin     string     `json:"origin"`
	Operation  string     `json:"operation"`
	RecordedAt time.Time  `json:"recordedAt"`
	OccurredAt *time.Time `json:"occurredAt,omitempty"` // where that differs

	CommandID     uuid.UUID `json:"commandId"`
	CorrelationID uuid.UUID `json:"correlationId"`
	CausationID   uuid.UUID `json:"causationId"`

	Columns []string `json:"columns,omitempty"` // that its absence changes, where that was asked
	Makes   bool     `json:"makes,omitempty"`   // there is no row without it
}

// Actor is who acted.
type Actor struct {
	Kind      string `json:"kind"`
	ID        string `json:"id,omitempty"`
	ActingFor string `json:"actingFor,omitempty"`
}

func eventOf(d *eventstore.Decoded) Event {
	r, m := &d.Record, &d.Metadata
	e := Event{
		ID: r.ID, Type: r.Type, Position: r.Position.String(), Stream: r.Stream, Revision: r.Revision,
		Actor:  Actor{string(m.Actor.Kind), m.Actor.ID, m.Actor.ActingFor},
		Origin: string(m.Origin), Operation: m.Operation, RecordedAt: m.RecordedAt.UTC(),
		CommandID: m.CommandID, CorrelationID: m.CorrelationID, CausationID: m.CausationID,
	}
	if !m.OccurredAt.IsZero() {
		at := m.OccurredAt.UTC()
		e.OccurredAt = &at
	}
	return e
}
