package domain

// Actor is who does something. It travels in every event's metadata; decisions
// look at it where it makes a difference who acts.
type Actor struct {
	Kind      ActorKind
	ID        string // contact, member of staff, API key; the system has none
	ActingFor string // the contact through whose eyes staff look; only for StaffAsContact
}

// ActorKind is the sort of an actor.
type ActorKind string

// The kinds of actor. The strings are storage.
const (
	Contact        ActorKind = "contact"          // a person on the customer's side, signed in as themselves
	Staff          ActorKind = "staff"            // a member of the business
	StaffAsContact ActorKind = "staff-as-contact" // a member of the business who sees what a contact sees
	Integration    ActorKind = "integration"      // a program with an API key
	System         ActorKind = "system"           // the portal itself: imports, timers, sweepers
)

// SeesAsContact says whether the actor sees what a contact sees: no drafts.
func (a Actor) SeesAsContact() bool {
	return a.Kind == Contact || a.Kind == StaffAsContact
}

// ErrOnlyContact refuses what a customer alone can say. Staff who see the
// portal as a contact does cannot say it either.
var ErrOnlyContact = &Error{Kind: Forbidden, Code: "only_contact", Message: "only a contact of the customer can do this"}

// OnlyContact refuses everybody but a contact.
func OnlyContact(by Actor) error {
	if by.Kind != Contact || by.ID == "" {
		return ErrOnlyContact
	}
	return nil
}

// Place is where a record belongs: to a property of the customer, to a unit of
// that property, or, if both are empty, to the customer as a whole.
type Place struct {
	PropertyID string
	UnitID     string
}

// The languages of pages, documents and messages, as BCP 47 tags.
const (
	English  = "en"
	Japanese = "ja"
)
