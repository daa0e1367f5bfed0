package customer

import (
	"maps"
	"slices"

	"portal.example/domain"
)

// State is a customer as their events tell it.
type State struct {
	ID         string
	BusinessID string
	Language   string
	Contacts   map[string]Contact
	Properties map[string]Property
	Version    int
}

// Contact is a person who acts for the customer. Their name and addresses are
// not here, because no decision may hang on them.
type Contact struct {
	Language string
	Rights   Rights
}

// Property is a place where work is done for the customer.
type Property struct {
	Units []string // their ids
}

// DocumentVersion is the number in the record's ETag.
func (s State) DocumentVersion() int { return s.Version }

// Has says whether the place is one of the customer's. The customer as a whole
// is.
func (s State) Has(p domain.Place) bool {
	if p.PropertyID == "" {
		return p.UnitID == ""
	}
	property, ok := s.Properties[p.PropertyID]
	return ok && (p.UnitID == "" || slices.Contains(property.Units, p.UnitID))
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	s.Version++
	switch e := event.(type) {
	case Added:
		s.ID, s.BusinessID, s.Language = e.CustomerID, e.BusinessID, e.Language
	case ContactAdded:
		s.Contacts = with(s.Contacts, e.ContactID, Contact{Language: e.Language, Rights: e.Rights})
	case ContactRightsChanged:
		contact := s.Contacts[e.ContactID]
		contact.Rights = e.After
		s.Contacts = with(s.Contacts, e.ContactID, contact)
	case PropertyAdded:
		s.Properties = with(s.Properties, e.PropertyID, Property{})
	case UnitAdded:
		units := append(slices.Clone(s.Properties[e.PropertyID].Units), e.UnitID)
		s.Properties = with(s.Properties, e.PropertyID, Property{Units: units})
	}
	return s
}

// with is a copy of the map with one entry set; the map itself belongs to
// older states as well.
func with[V any](m map[string]V, id string, v V) map[string]V {
	next := make(map[string]V, len(m)+1)
	maps.Copy(next, m)
	next[id] = v
	return next
}
