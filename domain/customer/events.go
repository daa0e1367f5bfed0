// Package customer is a customer of a business: the contacts who act for them
// and what each may see and do, and the properties and units where work is
// done.
//
// Stream: customer-<customer>.
package customer

import "time"

// Category is the category of the streams.
const Category = "customer"

// Stream is the stream of a customer.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to a customer's record.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"CustomerAdded":                Added{},
	"CustomerContactAdded":         ContactAdded{},
	"CustomerContactRightsChanged": ContactRightsChanged{},
	"CustomerPropertyAdded":        PropertyAdded{},
	"CustomerUnitAdded":            UnitAdded{},
}

// Added says that the business has a new customer.
type Added struct {
	CustomerID string    `json:"customerId"`
	BusinessID string    `json:"businessId"`
	Reference  string    `json:"reference,omitempty"` // the customer's number in another system
	Name       string    `json:"name" personal:"CustomerID"`
	Language   string    `json:"language"`
	At         time.Time `json:"at"`
}

// ContactAdded says that a person acts for the customer.
type ContactAdded struct {
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId"`
	Name       string    `json:"name" personal:"ContactID"`
	Email      string    `json:"email,omitempty" personal:"ContactID"`
	Phone      string    `json:"phone,omitempty" personal:"ContactID"`
	Language   string    `json:"language"`
	Rights     Rights    `json:"rights"`
	At         time.Time `json:"at"`
}

// ContactRightsChanged says what a contact may see and do from now on.
type ContactRightsChanged struct {
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId"`
	Before     Rights    `json:"before"`
	After      Rights    `json:"after"`
	At         time.Time `json:"at"`
}

// PropertyAdded says that the customer has a place where work is done.
type PropertyAdded struct {
	CustomerID string    `json:"customerId"`
	PropertyID string    `json:"propertyId"`
	Name       string    `json:"name" personal:"CustomerID"`
	Address    string    `json:"address,omitempty" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// UnitAdded says that a property has a part of its own, such as a flat.
type UnitAdded struct {
	CustomerID string    `json:"customerId"`
	PropertyID string    `json:"propertyId"`
	UnitID     string    `json:"unitId"`
	Name       string    `json:"name" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

func (Added) isEvent()                {}
func (ContactAdded) isEvent()         {}
func (ContactRightsChanged) isEvent() {}
func (PropertyAdded) isEvent()        {}
func (UnitAdded) isEvent()            {}
