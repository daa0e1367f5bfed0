package readapi

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
)

// Quarantined is a stream of the business that stopped at an event which a
// projection cannot apply.
type Quarantined struct {
	Projection string    `json:"projection"`
	Version    int       `json:"version"`
	Live       bool      `json:"live" doc:"of the tables that requests read; otherwise of some that are being filled"`
	Stream     string    `json:"stream"`
	EventID    string    `json:"eventId" db:"event_id"`
	EventType  string    `json:"eventType" db:"event_type"`
	Revision   int64     `json:"revision" db:"event_revision"`
	Held       int64     `json:"held" doc:"events that are held back, this one too"`
	Error      string    `json:"error"`
	Attempts   int       `json:"attempts"`
	Since      time.Time `json:"since"`
	TriedAt    time.Time `json:"triedAt" db:"tried_at"`
}

// Skipped is an event of the business that a version of a projection goes on
// without.
type Skipped struct {
	Projection string    `json:"projection"`
	Version    int       `json:"version"`
	Stream     string    `json:"stream"`
	EventID    string    `json:"eventId" db:"event_id"`
	EventType  string    `json:"eventType" db:"event_type"`
	Revision   int64     `json:"revision" db:"event_revision"`
	Error      string    `json:"error"`
	Reason     string    `json:"reason"`
	By         string    `json:"by" db:"skipped_by"`
	At         time.Time `json:"at" db:"skipped_at"`
}

// QuarantineBody is what read models could not be brought up to date with.
type QuarantineBody struct {
	Items   []Quarantined `json:"items" nullable:"false" doc:"the oldest first, 1,000 at most"`
	Skipped []Skipped     `json:"skipped" nullable:"false" doc:"the newest first, 1,000 at most"`
}

func registerQuarantine(a huma.API, d Deps) {
	huma.Register(a, get(a, "get-quarantine", "/quarantine", "Show what read models could not be brought up to date with",
		[]api.Role{api.Owner, api.Auditor}), d.quarantine)
}

func (d Deps) quarantine(ctx context.Context, _ *struct{}) (*struct{ Body QuarantineBody }, error) {
	who, ok := api.PrincipalFrom(ctx)
	if !ok {
		return nil, errors.New("readapi: a route without a principal")
	}
	body := QuarantineBody{Items: []Quarantined{}, Skipped: []Skipped{}}
	err := d.look(ctx, who, func(r *reader) error {
		r.queue(records(&body.Items), `
			SELECT projection, version, live, stream, event_id::text, event_type, event_revision, held, error, attempts, since, tried_at
			FROM quarantine ORDER BY since, projection, stream LIMIT 1000`)
		r.queue(records(&body.Skipped), `
			SELECT projection, version, stream, event_id::text, event_type, event_revision, error, reason, skipped_by, skipped_at
			FROM skips ORDER BY id DESC LIMIT 1000`)
		return nil
	})
	return &struct{ Body QuarantineBody }{body}, err
}
