// Package timeline is the audit timeline: a row for every event, and the
// sentence that a person reads of it, in English and in Japanese.
//
// A new event needs its facts (facts.go) and its sentence in both languages
// (english.go, japanese.go); a test names what is missing.
package timeline

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/encoding/json"

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
func (Projection) Version() int { return 3 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection: all.
func (Projection) Types() []string { return nil }

// RowsComeFromOneStream implements runner.StreamRows.
func (Projection) RowsComeFromOneStream() {}

// Sealed implements runner.Sealed: nothing here is personal.
func (Projection) Sealed() {}

var columns = []string{
	"business_id", "customer_id", "record_kind", "record_id", "event_id", "type",
	"actor_kind", "actor_id", "acting_for", "session_id", "signed_in_by", "origin",
	"occurred_at", "recorded_at", "args", "_stream", "_revision", "_position",
}

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	var w writer
	return table.Copy(ctx, tx, "timeline", columns, len(batch), func(row *table.Row, i int) error {
		return w.fill(row, &batch[i])
	})
}

// writer makes rows, one after the other.
type writer struct {
	facts facts
	args  []byte
}

func (w *writer) fill(row *table.Row, d *eventstore.Decoded) (err error) {
	facts, ok := &w.facts, false
	if *facts, ok = factsOf(d.Event); !ok {
		return fmt.Errorf("the timeline does not know %s", d.Record.Type)
	}
	if w.args, err = json.Append(w.args[:0], &facts.args, 0); err != nil {
		return fmt.Errorf("arguments of %s: %w", d.Record.Type, err)
	}
	category, m := table.Category(d), &d.Metadata
	row.Text(m.Business)
	row.Text(facts.customer)
	row.Text(category)
	row.Text(table.ID(d))
	row.UUID(d.Record.ID)
	row.Text(d.Record.Type)
	row.Text(string(m.Actor.Kind))
	row.Text(m.Actor.ID)
	row.Text(m.Actor.ActingFor)
	row.Text(m.Session.ID)
	row.Text(m.Session.Method)
	row.Text(string(m.Origin))
	row.Time(facts.at)
	row.Time(m.RecordedAt)
	row.JSON(w.args)
	row.Text(d.Record.Stream)
	row.Int(int64(d.Record.Revision))
	row.Int(int64(d.Record.Position.Commit))
	return nil
}
