package customer

import (
	"strings"
	"time"

	"portal.example/domain"
)

// How much a customer can have.
const (
	maxContacts   = 100
	maxProperties = 500
	maxUnits      = 500 // of one property
)

// What a customer can be refused for.
var (
	ErrNotFound  = &domain.Error{Kind: domain.NotFound, Code: "customer_not_found", Message: "there is no such customer"}
	ErrNoContact = &domain.Error{Kind: domain.NotFound, Code: "contact_not_found", Message: "the customer has no such contact"}
	ErrNoPlace   = &domain.Error{Kind: domain.NotFound, Code: "property_not_found", Message: "the customer has no such property"}
	ErrExists    = &domain.Error{Kind: domain.Conflict, Code: "customer_exists", Message: "the customer exists already"}
	ErrIDTaken   = &domain.Error{Kind: domain.Conflict, Code: "id_taken", Message: "the id is in use already"}
	ErrTooMany   = &domain.Error{Kind: domain.TooLarge, Code: "too_many", Message: "the customer cannot have any more of these"}
)

// Add gives the business a customer.
type Add struct {
	CustomerID string
	BusinessID string
	Reference  string
	Name       string
	Language   string
	At         time.Time
}

// Decide adds a customer once.
func (c Add) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.ID("customerId", c.CustomerID)
	check.ID("businessId", c.BusinessID)
	check.OptionalLine("reference", c.Reference, domain.MaxName)
	check.Line("name", c.Name, domain.MaxName)
	check.Language("language", c.Language)
	check.Time("at", c.At)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if s.ID != "" {
		return nil, ErrExists
	}
	return []Event{Added(c)}, nil
}

// AddContact names a person who acts for the customer.
type AddContact struct {
	ContactID string
	Name      string
	Email     string
	Phone     string
	Language  string
	Rights    Rights
	At        time.Time
}

// Decide adds a contact.
func (c AddContact) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.ID("contactId", c.ContactID)
	check.Line("name", c.Name, domain.MaxName)
	c.checkAddresses(&check)
	check.Language("language", c.Language)
	c.Rights.check(&check, s)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if _, taken := s.Contacts[c.ContactID]; taken {
		return nil, ErrIDTaken
	}
	if len(s.Contacts) >= maxContacts {
		return nil, ErrTooMany
	}
	return []Event{ContactAdded{
		CustomerID: s.ID, ContactID: c.ContactID,
		Name: c.Name, Email: c.Email, Phone: c.Phone, Language: c.Language, Rights: c.Rights, At: c.At,
	}}, nil
}

// checkAddresses asks little: only sending to an address shows whether it is
// one.
func (c AddContact) checkAddresses(check *domain.Check) {
	check.OptionalLine("email", c.Email, 254) // RFC 5321, section 4.5.3.1.3
	local, host, at := strings.Cut(c.Email, "@")
	if c.Email != "" && (!at || local == "" || host == "" || strings.ContainsAny(c.Email, " \t")) {
		check.Fail("email", "not_an_email", "must be an e-mail address")
	}
	check.OptionalLine("phone", c.Phone, 40)
	if strings.Trim(c.Phone, "+0123456789 ()-./") != "" {
		check.Fail("phone", "not_a_phone", "must be a telephone number")
	}
}

// ChangeRights changes what a contact may see and do.
type ChangeRights struct {
	ContactID string
	Rights    Rights
	At        time.Time
}

// Decide changes rights that are not so already.
func (c ChangeRights) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	contact, ok := s.Contacts[c.ContactID]
	if !ok {
		return nil, ErrNoContact
	}
	var check domain.Check
	c.Rights.check(&check, s)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if contact.Rights == c.Rights {
		return nil, nil
	}
	return []Event{ContactRightsChanged{
		CustomerID: s.ID, ContactID: c.ContactID, Before: contact.Rights, After: c.Rights, At: c.At,
	}}, nil
}

// AddProperty names a place where work is done.
type AddProperty struct {
	PropertyID string
	Name       string
	Address    string // as written on an envelope, in several lines
	At         time.Time
}

// Decide adds a property.
func (c AddProperty) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.ID("propertyId", c.PropertyID)
	check.Line("name", c.Name, domain.MaxName)
	check.OptionalProse("address", c.Address)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if _, taken := s.Properties[c.PropertyID]; taken {
		return nil, ErrIDTaken
	}
	if len(s.Properties) >= maxProperties {
		return nil, ErrTooMany
	}
	return []Event{PropertyAdded{
		CustomerID: s.ID, PropertyID: c.PropertyID, Name: c.Name, Address: c.Address, At: c.At,
	}}, nil
}

// AddUnit names a part of a property.
type AddUnit struct {
	PropertyID string
	UnitID     string
	Name       string
	At         time.Time
}

// Decide adds a unit.
func (c AddUnit) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	property, ok := s.Properties[c.PropertyID]
	if !ok {
		return nil, ErrNoPlace
	}
	var check domain.Check
	check.ID("unitId", c.UnitID)
	check.Line("name", c.Name, domain.MaxName)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if s.Has(domain.Place{PropertyID: c.PropertyID, UnitID: c.UnitID}) {
		return nil, ErrIDTaken
	}
	if len(property.Units) >= maxUnits {
		return nil, ErrTooMany
	}
	return []Event{UnitAdded{
		CustomerID: s.ID, PropertyID: c.PropertyID, UnitID: c.UnitID, Name: c.Name, At: c.At,
	}}, nil
}
