package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
)

// Customer is a customer as lists show them.
type Customer struct {
	ID        string    `json:"id" db:"customer_id"`
	Reference string    `json:"reference,omitempty" doc:"the customer's number in another system"`
	Name      string    `json:"name" doc:"empty once erased, as are names and addresses elsewhere"`
	Language  string    `json:"language"`
	Version   int       `json:"version"`
	AddedAt   time.Time `json:"addedAt"`
}

// CustomerRecord is a customer with the people who act for them and the places
// where work is done.
type CustomerRecord struct {
	Customer
	Contacts   []Contact  `json:"contacts" nullable:"false"`
	Properties []Property `json:"properties" nullable:"false"`
}

// Contact is a person who acts for a customer, and what they may see and do.
type Contact struct {
	ID         string    `json:"id" db:"contact_id"`
	Name       string    `json:"name"`
	Email      string    `json:"email,omitempty"`
	Phone      string    `json:"phone,omitempty"`
	Language   string    `json:"language"`
	Access     string    `json:"access" enum:"everything,billing,view"`
	PropertyID string    `json:"propertyId,omitempty" doc:"the rights hold there only"`
	UnitID     string    `json:"unitId,omitempty"`
	AddedAt    time.Time `json:"addedAt"`
}

// Property is a place where work is done.
type Property struct {
	ID      string `json:"id" db:"property_id"`
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Units   []Unit `json:"units,omitempty" db:"-"`
}

// Unit is a part of a property.
type Unit struct {
	ID         string `json:"id" db:"unit_id"`
	PropertyID string `json:"-" db:"property_id"`
	Name       string `json:"name"`
}

type customersInput struct {
	api.Waiting
	Page
	Search    string `query:"q" maxLength:"100" doc:"part of the name or the reference"`
	Reference string `query:"reference" maxLength:"200"`
}

// ByID is the input of routes about one record.
type ByID struct {
	api.Waiting
	ID string `path:"id" maxLength:"36" pattern:"^[0-9a-f-]+$"`
}

// versioned is the output of routes about one record.
type versioned[T any] struct {
	api.AsOf
	ETag string `header:"ETag" doc:"version of the record"`
	Body T
}

const selectCustomers = `SELECT c.customer_id, c.reference, c.name, c.language, c.version, c.added_at FROM customers c`

func registerCustomers(a huma.API, d Deps) {
	huma.Register(a, get(a, "list-customers", "/customers", "List customers, the newest first", staff), d.listCustomers)
	huma.Register(a, get(a, "get-customer", "/customers/{id}", "Show a customer, to staff or to themselves", everybody), d.getCustomer)
}

func (d Deps) listCustomers(ctx context.Context, in *customersInput) (*List[Customer], error) {
	after, err := in.after("customers")
	if err != nil {
		return nil, err
	}
	var found []Customer
	asOf, err := d.read(ctx, in.Waiting, []string{"customers"}, func(r *reader) error {
		var q query
		q.equal("c.reference", in.Reference)
		q.search(in.Search, "c.name", "c.reference")
		q.newest(after, "c.added_at", "c.customer_id")
		sql, args := q.sql(selectCustomers, "c.added_at DESC, c.customer_id DESC", in.Limit)
		r.queue(records(&found), sql, args...)
		return nil
	})
	end := func(c Customer) place { return place{List: "customers", At: c.AddedAt, ID: c.ID} }
	return &List[Customer]{asOf, cut(found, in.Limit, end)}, err
}

func (d Deps) getCustomer(ctx context.Context, in *ByID) (*versioned[CustomerRecord], error) {
	var found *Customer
	body := CustomerRecord{Contacts: []Contact{}, Properties: []Property{}}
	var units []Unit
	asOf, err := d.read(ctx, in.Waiting, []string{"customers"}, func(r *reader) error {
		if r.who.IsCustomer() && r.who.CustomerID != in.ID {
			return notFound("customer")
		}
		r.queue(record(&found), selectCustomers+` WHERE c.customer_id = $1`, in.ID)
		r.queueContacts(&body.Contacts, in.ID)
		r.queuePlaces(&body.Properties, &units, in.ID)
		return nil
	})
	if err == nil && found == nil {
		err = notFound("customer")
	}
	if err != nil {
		return nil, err
	}
	body.Customer = *found
	for i, property := range body.Properties {
		for _, unit := range units {
			if unit.PropertyID == property.ID {
				body.Properties[i].Units = append(body.Properties[i].Units, unit)
			}
		}
	}
	return &versioned[CustomerRecord]{asOf, api.ETag(found.Version), body}, nil
}

// queueContacts shows a contact whose rights are limited to one place nobody but
// themselves.
func (r *reader) queueContacts(into *[]Contact, customer string) {
	q := query{}
	q.and("c.customer_id = ?", customer)
	if r.who.IsCustomer() {
		q.and(`c.contact_id = ? OR EXISTS (
			SELECT FROM contacts may WHERE may.customer_id = c.customer_id AND may.contact_id = ? AND may.property_id = '')`,
			r.who.ContactID, r.who.ContactID)
	}
	sql, args := q.sql(`SELECT contact_id, name, email, phone, language, access, property_id, unit_id, added_at FROM contacts c`,
		"added_at, contact_id", maxParts)
	r.queue(records(into), sql, args...)
}

func (r *reader) queuePlaces(properties *[]Property, units *[]Unit, customer string) {
	var ofProperties, ofUnits query
	ofProperties.and("p.customer_id = ?", customer)
	ofUnits.and("u.customer_id = ?", customer)
	if r.who.IsCustomer() {
		ofProperties.and(`EXISTS (SELECT FROM contacts may WHERE may.customer_id = p.customer_id AND may.contact_id = ?
			AND may.property_id IN ('', p.property_id))`, r.who.ContactID)
		ofUnits.and(`EXISTS (SELECT FROM contacts may WHERE may.customer_id = u.customer_id AND may.contact_id = ?
			AND may.property_id IN ('', u.property_id) AND may.unit_id IN ('', u.unit_id))`, r.who.ContactID)
	}
	sql, args := ofProperties.sql(`SELECT property_id, name, address FROM properties p`, "added_at, property_id", maxParts)
	r.queue(records(properties), sql, args...)
	sql, args = ofUnits.sql(`SELECT unit_id, property_id, name FROM units u`, "added_at, unit_id", maxParts)
	r.queue(records(units), sql, args...)
}

// maxParts bounds what is shown of one customer; the domain allows no more.
const maxParts = 1000
