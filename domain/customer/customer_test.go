package customer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/domaintest"
)

type decision = domaintest.Case[customer.State, customer.Event]

var (
	at       = domaintest.Noon
	id       = domaintest.ID(1)
	contact  = domaintest.ID(2)
	property = domaintest.ID(3)
	unit     = domaintest.ID(4)

	everything = customer.Rights{Access: customer.Everything}
	tenant     = customer.Rights{Access: customer.ViewOnly, PropertyID: property, UnitID: unit}

	added        = customer.Added{CustomerID: id, BusinessID: domaintest.ID(9), Reference: "A100", Name: "Reyes & Co", Language: "en", At: at}
	contactAdded = customer.ContactAdded{
		CustomerID: id, ContactID: contact, Name: "Dana Reyes", Email: "dana@example.com", Phone: "+1 555 0100",
		Language: "en", Rights: everything, At: at,
	}
	propertyAdded = customer.PropertyAdded{CustomerID: id, PropertyID: property, Name: "Lake house", Address: "1 Lake Rd\nSpringfield", At: at}
	unitAdded     = customer.UnitAdded{CustomerID: id, PropertyID: property, UnitID: unit, Name: "Flat 2", At: at}
)

func TestAdd(t *testing.T) {
	t.Parallel()
	add := customer.Add{CustomerID: id, BusinessID: domaintest.ID(9), Reference: "A100", Name: "Reyes & Co", Language: "en", At: at}
	domaintest.Run(t, []decision{
		{Name: "a customer", When: add, Then: []customer.Event{added}},
		{Name: "twice", Given: []customer.Event{added}, When: add, Refused: customer.ErrExists},
		{
			Name: "with nothing right",
			When: customer.Add{Reference: strings.Repeat("x", 201)},
			Faults: []string{
				"customerId: not_an_id", "businessId: not_an_id", "reference: too_long", "name: required",
				"language: not_one_of", "at: not_a_time",
			},
		},
	})
}

func TestAddContact(t *testing.T) {
	t.Parallel()
	dana := customer.AddContact{
		ContactID: contact, Name: "Dana Reyes", Email: "dana@example.com", Phone: "+1 555 0100",
		Language: "en", Rights: everything, At: at,
	}
	ofUnit := dana
	ofUnit.Rights = tenant
	unitAlone := dana
	unitAlone.Rights = customer.Rights{Access: customer.Everything, UnitID: unit}
	domaintest.Run(t, []decision{
		{Name: "a contact", Given: []customer.Event{added}, When: dana, Then: []customer.Event{contactAdded}},
		{Name: "to nobody", When: dana, Refused: customer.ErrNotFound},
		{Name: "twice", Given: []customer.Event{added, contactAdded}, When: dana, Refused: customer.ErrIDTaken},
		{Name: "one more than a hundred", Given: hundredContacts(), When: dana, Refused: customer.ErrTooMany},
		{
			Name: "for a unit that there is not", Given: []customer.Event{added, propertyAdded}, When: ofUnit,
			Faults: []string{"rights.propertyId: unknown_place"},
		},
		{
			Name: "for a unit of no property", Given: []customer.Event{added, propertyAdded, unitAdded}, When: unitAlone,
			Faults: []string{"rights.propertyId: unknown_place"},
		},
		{
			Name: "with nothing right", Given: []customer.Event{added},
			When: customer.AddContact{Email: "dana at example", Phone: "ring me"},
			Faults: []string{
				"contactId: not_an_id", "name: required", "email: not_an_email", "phone: not_a_phone",
				"language: not_one_of", "rights.access: not_one_of",
			},
		},
	})
}

func hundredContacts() []customer.Event {
	events := []customer.Event{added}
	for n := range 100 {
		another := contactAdded
		another.ContactID = domaintest.ID(1000 + n)
		events = append(events, another)
	}
	return events
}

func TestChangeRights(t *testing.T) {
	t.Parallel()
	given := []customer.Event{added, contactAdded, propertyAdded, unitAdded}
	domaintest.Run(t, []decision{
		{
			Name: "to one unit", Given: given,
			When: customer.ChangeRights{ContactID: contact, Rights: tenant, At: at},
			Then: []customer.Event{customer.ContactRightsChanged{
				CustomerID: id, ContactID: contact, Before: everything, After: tenant, At: at,
			}},
		},
		{Name: "to what they are", Given: given, When: customer.ChangeRights{ContactID: contact, Rights: everything, At: at}},
		{
			Name: "to what there is not", Given: given,
			When:   customer.ChangeRights{ContactID: contact, Rights: customer.Rights{Access: "all"}, At: at},
			Faults: []string{"rights.access: not_one_of"},
		},
		{
			Name: "of a stranger", Given: given,
			When: customer.ChangeRights{ContactID: domaintest.ID(5), Rights: tenant, At: at}, Refused: customer.ErrNoContact,
		},
		{Name: "of nobody's contact", When: customer.ChangeRights{ContactID: contact, At: at}, Refused: customer.ErrNotFound},
	})
}

func TestAddPlaces(t *testing.T) {
	t.Parallel()
	addProperty := customer.AddProperty{PropertyID: property, Name: "Lake house", Address: "1 Lake Rd\nSpringfield", At: at}
	addUnit := customer.AddUnit{PropertyID: property, UnitID: unit, Name: "Flat 2", At: at}
	domaintest.Run(t, []decision{
		{Name: "a property", Given: []customer.Event{added}, When: addProperty, Then: []customer.Event{propertyAdded}},
		{Name: "a property of nobody", When: addProperty, Refused: customer.ErrNotFound},
		{Name: "a property twice", Given: []customer.Event{added, propertyAdded}, When: addProperty, Refused: customer.ErrIDTaken},
		{Name: "one property more than there can be", Given: manyProperties(), When: addProperty, Refused: customer.ErrTooMany},
		{
			Name: "a property that is not well formed", Given: []customer.Event{added},
			When:   customer.AddProperty{Name: "", Address: strings.Repeat("x", 4001)},
			Faults: []string{"propertyId: not_an_id", "name: required", "address: too_long"},
		},
		{Name: "a unit", Given: []customer.Event{added, propertyAdded}, When: addUnit, Then: []customer.Event{unitAdded}},
		{Name: "a unit of nobody", When: addUnit, Refused: customer.ErrNotFound},
		{Name: "a unit of no property", Given: []customer.Event{added}, When: addUnit, Refused: customer.ErrNoPlace},
		{Name: "a unit twice", Given: []customer.Event{added, propertyAdded, unitAdded}, When: addUnit, Refused: customer.ErrIDTaken},
		{Name: "one unit more than there can be", Given: manyUnits(), When: addUnit, Refused: customer.ErrTooMany},
		{
			Name: "a unit that is not well formed", Given: []customer.Event{added, propertyAdded},
			When:   customer.AddUnit{PropertyID: property},
			Faults: []string{"unitId: not_an_id", "name: required"},
		},
	})
}

func manyProperties() []customer.Event {
	events := []customer.Event{added}
	for n := range 500 {
		events = append(events, customer.PropertyAdded{CustomerID: id, PropertyID: domaintest.ID(1000 + n), At: at})
	}
	return events
}

func manyUnits() []customer.Event {
	events := []customer.Event{added, propertyAdded}
	for n := range 500 {
		events = append(events, customer.UnitAdded{CustomerID: id, PropertyID: property, UnitID: domaintest.ID(1000 + n), At: at})
	}
	return events
}

func TestRights(t *testing.T) {
	t.Parallel()
	actions := []customer.Action{customer.SeeBilling, customer.ActOnBilling, customer.SeeService, customer.AskService}
	whole := domain.Place{}
	house := domain.Place{PropertyID: property}
	flat := domain.Place{PropertyID: property, UnitID: unit}
	other := domain.Place{PropertyID: property, UnitID: domaintest.ID(5)}
	tests := map[string]struct {
		rights customer.Rights
		on     domain.Place
		want   []customer.Action
	}{
		"everything":                        {everything, whole, actions},
		"everything, at a unit":             {everything, flat, actions},
		"billing":                           {customer.Rights{Access: customer.BillingOnly}, house, actions[:2]},
		"view":                              {customer.Rights{Access: customer.ViewOnly}, whole, []customer.Action{customer.SeeBilling, customer.SeeService}},
		"a property, at it":                 {customer.Rights{Access: customer.Everything, PropertyID: property}, house, actions},
		"a property, at its unit":           {customer.Rights{Access: customer.Everything, PropertyID: property}, flat, actions},
		"a property, at the whole customer": {customer.Rights{Access: customer.Everything, PropertyID: property}, whole, nil},
		"a unit, at it":                     {tenant, flat, []customer.Action{customer.SeeBilling, customer.SeeService}},
		"a unit, at another":                {tenant, other, nil},
		"a unit, at its property":           {tenant, house, nil},
		"none":                              {customer.Rights{}, whole, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []customer.Action
			for _, action := range actions {
				if test.rights.Allow(action, test.on) {
					got = append(got, action)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("allowed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	got := domain.Fold(customer.State{}, []customer.Event{
		added, contactAdded, propertyAdded, unitAdded,
		customer.ContactRightsChanged{CustomerID: id, ContactID: contact, Before: everything, After: tenant, At: at},
	}...)
	want := customer.State{
		ID: id, BusinessID: domaintest.ID(9), Language: "en",
		Contacts:   map[string]customer.Contact{contact: {Language: "en", Rights: tenant}},
		Properties: map[string]customer.Property{property: {Units: []string{unit}}},
		Version:    5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.DocumentVersion() != 5 {
		t.Errorf("the document is at version %d", got.DocumentVersion())
	}
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, customer.Types, []customer.Event{
		added,
		customer.ContactAdded{
			CustomerID: id, ContactID: contact, Name: "Dana Reyes", Email: "dana@example.com", Phone: "+1 555 0100",
			Language: "en", Rights: tenant, At: at,
		},
		customer.ContactRightsChanged{
			CustomerID: id, ContactID: contact, At: at,
			Before: tenant, After: customer.Rights{Access: customer.BillingOnly, PropertyID: property, UnitID: unit},
		},
		propertyAdded,
		unitAdded,
	})
}

func TestStatesAreApart(t *testing.T) {
	t.Parallel()
	numbered := func(n int) customer.Event {
		return customer.UnitAdded{CustomerID: id, PropertyID: property, UnitID: domaintest.ID(n), At: at}
	}
	apart := domaintest.Apart[customer.State, customer.Event]
	apart(t, []customer.Event{added, propertyAdded, numbered(10), numbered(11), numbered(12)}, numbered(13), numbered(14))
	apart(t, []customer.Event{added}, contactAdded, propertyAdded)
}
