// Package quotes is the read model of quotes: what staff work on, what the
// customer holds, and how far it has come.
package quotes

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/quote"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

//go:embed schema.sql
var schema string

// Projection implements runner.Projection.
type Projection struct{}

// Name implements runner.Projection.
func (Projection) Name() string { return "quotes" }

// Version implements runner.Projection.
func (Projection) Version() int { return 1 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection.
func (Projection) Types() []string { return table.Names(quote.Types) }

// RowsComeFromOneStream implements runner.StreamRows.
func (Projection) RowsComeFromOneStream() {}

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	rows, err := quotes.Open(ctx, tx, table.IDs(batch), func(r *row) string { return r.QuoteID })
	if err != nil {
		return err
	}
	for i := range batch {
		if event, ok := batch[i].Event.(quote.Event); ok {
			if err := fold(rows, &batch[i], event); err != nil {
				return err
			}
		}
	}
	for _, r := range rows.Touched() {
		if err := r.Close(); err != nil {
			return err
		}
	}
	return rows.Store(ctx, tx)
}
