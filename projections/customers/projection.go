// Package customers is the read model of customers with their contacts,
// properties and units.
package customers

import (
	"context"
	_ "embed"
	"errors"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/customer"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

//go:embed schema.sql
var schema string

// Projection implements runner.Projection.
type Projection struct{}

// Name implements runner.Projection.
func (Projection) Name() string { return "customers" }

// Version implements runner.Projection.
func (Projection) Version() int { return 1 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection.
func (Projection) Types() []string { return table.Names(customer.Types) }

// RowsComeFromOneStream implements runner.StreamRows.
func (Projection) RowsComeFromOneStream() {}

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	ids := table.IDs(batch)
	f := &fold{}
	var err error
	if f.customers, err = customers.Open(ctx, tx, ids, func(r *customerRow) string { return r.CustomerID }); err != nil {
		return err
	}
	if f.contacts, err = contacts.Open(ctx, tx, ids, (*contactRow).key); err != nil {
		return err
	}
	for i := range batch {
		if event, ok := batch[i].Event.(customer.Event); ok {
			if err := f.take(&batch[i], event); err != nil {
				return err
			}
		}
	}
	return errors.Join(
		f.customers.Store(ctx, tx),
		f.contacts.Store(ctx, tx),
		properties.Store(ctx, tx, f.properties),
		units.Store(ctx, tx, f.units),
	)
}

// fold is what a batch makes of the tables. Properties and units are only ever
// added, so that they need not be read.
type fold struct {
	customers  *table.Set[customerRow]
	contacts   *table.Set[contactRow]
	properties []*propertyRow
	units      []*unitRow
}

func (f *fold) take(d *eventstore.Decoded, event customer.Event) error {
	id, origin := table.ID(d), table.OriginOf(d)
	if e, ok := event.(customer.Added); ok {
		f.customers.Add(id, &customerRow{
			Origin: origin, CustomerID: id, Reference: e.Reference, Name: e.Name, Language: e.Language,
			Version: 1, AddedAt: table.Time(e.At),
		})
		return nil
	}
	c, err := f.customers.Edit(id)
	if err != nil {
		return err
	}
	c.Origin = origin
	c.Version++
	switch e := event.(type) {
	case customer.Added: // above
	case customer.ContactAdded:
		row := &contactRow{
			Origin: origin, CustomerID: id, ContactID: e.ContactID,
			Name: e.Name, Email: e.Email, Phone: e.Phone, Language: e.Language, AddedAt: table.Time(e.At),
		}
		row.may(e.Rights)
		f.contacts.Add(row.key(), row)
	case customer.ContactRightsChanged:
		row, err := f.contacts.Edit(contactKey(id, e.ContactID))
		if err != nil {
			return err
		}
		row.Origin = origin
		row.may(e.After)
	case customer.PropertyAdded:
		f.properties = append(f.properties, &propertyRow{
			Origin: origin, CustomerID: id, PropertyID: e.PropertyID, Name: e.Name, Address: e.Address, AddedAt: table.Time(e.At),
		})
	case customer.UnitAdded:
		f.units = append(f.units, &unitRow{
			Origin: origin, CustomerID: id, PropertyID: e.PropertyID, UnitID: e.UnitID, Name: e.Name, AddedAt: table.Time(e.At),
		})
	}
	return nil
}
