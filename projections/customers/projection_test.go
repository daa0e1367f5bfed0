package customers_test

import (
	"testing"

	"portal.example/domain/customer"
	"portal.example/domain/domaintest"
	"portal.example/projections/customers"
	"portal.example/projections/projectiontest"
)

func TestCustomers(t *testing.T) {
	t.Parallel()
	conn := projectiontest.Connect(t, customers.Projection{})
	h := &projectiontest.History{Business: domaintest.ID(1)}
	id, contact, property, unit := domaintest.ID(2), domaintest.ID(3), domaintest.ID(4), domaintest.ID(5)
	everywhere := customer.Rights{Access: customer.Everything}
	flat := customer.Rights{Access: customer.ViewOnly, PropertyID: property, UnitID: unit}
	h.Add(projectiontest.Sam, customer.Stream(id),
		customer.Added{CustomerID: id, BusinessID: h.Business, Reference: "C-1", Name: "Reyes", Language: "ja", At: domaintest.Noon},
		customer.PropertyAdded{CustomerID: id, PropertyID: property, Name: "Villa", Address: "Street 1", At: domaintest.Noon},
		customer.UnitAdded{CustomerID: id, PropertyID: property, UnitID: unit, Name: "Flat", At: domaintest.Noon},
		customer.ContactAdded{CustomerID: id, ContactID: contact, Name: "Dana", Language: "en", Rights: everywhere, At: domaintest.Noon},
		customer.ContactRightsChanged{CustomerID: id, ContactID: contact, Before: everywhere, After: flat, At: domaintest.Noon})
	// Somebody erased: the codec hands the fields over empty.
	h.Add(projectiontest.Sam, customer.Stream(domaintest.ID(6)),
		customer.Added{CustomerID: domaintest.ID(6), BusinessID: h.Business, Language: "en", At: domaintest.Noon})

	expect := func(table, key, id string, want map[string]any) {
		t.Helper()
		projectiontest.Expect(t, conn, customers.Projection{}, h, table, key, id, want)
	}
	expect("customers", "customer_id", id, map[string]any{
		"business_id": h.Business, "reference": "C-1", "name": "Reyes", "language": "ja", "version": 5.0,
		"_stream": customer.Stream(id), "_position": 5000.0,
	})
	expect("customers", "customer_id", domaintest.ID(6), map[string]any{"name": "", "version": 1.0})
	expect("contacts", "contact_id", contact, map[string]any{
		"customer_id": id, "name": "Dana", "access": "view", "property_id": property, "unit_id": unit, "_position": 5000.0,
	})
	expect("properties", "property_id", property, map[string]any{"customer_id": id, "name": "Villa", "address": "Street 1"})
	expect("units", "unit_id", unit, map[string]any{"customer_id": id, "property_id": property, "name": "Flat"})
}
