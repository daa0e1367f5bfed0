// Package invoices is the read model of invoices: what they say, what is billed
// and paid, and how far they have come.
package invoices

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

//go:embed schema.sql
var schema string

// Projection implements runner.Projection.
type Projection struct{}

// Name implements runner.Projection.
func (Projection) Name() string { return "invoices" }

// Version implements runner.Projection.
func (Projection) Version() int { return 1 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection.
func (Projection) Types() []string { return table.Names(invoice.Types) }

// RowsComeFromOneStream implements runner.StreamRows.
func (Projection) RowsComeFromOneStream() {}

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	rows, err := invoices.Open(ctx, tx, table.IDs(batch), func(r *row) string { return r.InvoiceID })
	if err != nil {
		return err
	}
	for i := range batch {
		if event, ok := batch[i].Event.(invoice.Event); ok {
			if err := fold(rows, &batch[i], event); err != nil {
				return err
			}
		}
	}
	for _, r := range rows.Touched() {
		r.Outstanding = r.Billed - r.Paid + r.Credit
		if err := r.Close(); err != nil {
			return err
		}
	}
	return rows.Store(ctx, tx)
}
