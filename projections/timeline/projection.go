// Package timeline is the audit timeline: a row for every event, and the
// sentence that a person reads of it, in English and in Japanese.
//
// A new event needs its facts (facts.go) and its sentence in both languages
// (english.go, japanese.go); a test names what is missing.
package timeline

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/projections/table"
)

//go:embed schema.sql
var schema string

// Projection implements runner.Projection.
type Projection struct{}

// Name implements runner.Projection.
func (Projection) Name() string { return "timeline" }

// Version implements runner.Projection.
func (Projection) Version() int { return 1 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection: all.
func (Projection) Types() []string { return nil }

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	rows := table.NewCopy("timeline", len(batch),
		"business_id", "customer_id", "record_kind", "record_id", "event_id", "type",
		"actor_kind", "actor_id", "acting_for", "session_id", "signed_in_by", "origin",
		"occurred_at", "recorded_at", "args", "_stream", "_revision", "_position")
	for i := range batch {
		if err := add(rows, &batch[i]); err != nil {
			return err
		}
	}
	return rows.Do(ctx, tx)
}

func add(rows *table.Copy, d *eventstore.Decoded) error {
	facts, ok := factsOf(d.Event)
	if !ok {
		return fmt.Errorf("the timeline does not know %s", d.Record.Type)
	}
	args, err := json.Marshal(facts.args)
	if err != nil {
		return fmt.Errorf("arguments of %s: %w", d.Record.Type, err)
	}
	category, m := table.Category(d), &d.Metadata
	rows.Row()
	rows.Text(m.Business)
	rows.Text(facts.customer)
	rows.Text(category)
	rows.Text(table.ID(d))
	rows.UUID(d.Record.ID)
	rows.Text(d.Record.Type)
	rows.Text(string(m.Actor.Kind))
	rows.Text(m.Actor.ID)
	rows.Text(m.Actor.ActingFor)
	rows.Text(m.Session.ID)
	rows.Text(m.Session.Method)
	rows.Text(string(m.Origin))
	rows.Time(facts.at)
	rows.Time(m.RecordedAt)
	rows.JSON(args)
	rows.Text(d.Record.Stream)
	rows.Int(int64(d.Record.Revision))
	rows.Int(int64(d.Record.Position.Commit))
	return nil
}
