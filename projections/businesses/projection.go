// Package businesses is the read model of businesses: name, currency, time
// zone, and whether the portal is open.
package businesses

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/business"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

//go:embed schema.sql
var schema string

// Projection implements runner.Projection.
type Projection struct{}

// Name implements runner.Projection.
func (Projection) Name() string { return "businesses" }

// Version implements runner.Projection.
func (Projection) Version() int { return 1 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection.
func (Projection) Types() []string { return table.Names(business.Types) }

// RowsComeFromOneStream implements runner.StreamRows.
func (Projection) RowsComeFromOneStream() {}

type row struct {
	table.Origin
	Slug         string     `db:"slug"`
	Name         string     `db:"name"`
	Currency     string     `db:"currency"`
	TimeZone     string     `db:"time_zone"`
	Language     string     `db:"language"`
	PortalOpen   bool       `db:"portal_open"`
	RegisteredAt *time.Time `db:"registered_at"`
}

var businesses = table.New[row]("businesses", "business_id")

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	rows, err := businesses.Open(ctx, tx, table.IDs(batch), func(r *row) string { return r.Business })
	if err != nil {
		return err
	}
	for i := range batch {
		if event, ok := batch[i].Event.(business.Event); ok {
			if err := fold(rows, &batch[i], event); err != nil {
				return err
			}
		}
	}
	return rows.Store(ctx, tx)
}

func fold(rows *table.Set[row], d *eventstore.Decoded, event business.Event) error {
	id := table.ID(d)
	if e, ok := event.(business.Registered); ok {
		rows.Add(id, &row{
			Origin: table.OriginOf(d), Slug: e.Slug, Name: e.Name, Currency: string(e.Currency),
			TimeZone: e.TimeZone, Language: e.Language, RegisteredAt: table.Time(e.At),
		})
		return nil
	}
	r, err := rows.Edit(id)
	if err != nil {
		return err
	}
	r.Origin = table.OriginOf(d)
	switch event.(type) {
	case business.Registered: // above
	case business.PortalOpened:
		r.PortalOpen = true
	case business.PortalClosed:
		r.PortalOpen = false
	}
	return nil
}
