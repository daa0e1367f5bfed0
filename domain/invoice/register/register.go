// Package register gives out a business's invoice numbers: one after the other,
// from 1, without a gap, however many ask at once and whatever crashes.
//
// Stream: invoiceregister-<business>. Its nth event is number n, so appending
// at the revision that was read is all it takes: of two writers that saw the
// same last number, the log lets one append, and the other reads again.
//
// That one invoice takes one number is up to the id of the command, which must
// derive from the invoice alone, as the system's command: an interrupted issue
// that is rolled forward, by whomever, then meets its own event and gets its
// own number back. The register does not remember every invoice it has served,
// because there are too many for a state that is copied with each event.
package register

import (
	"time"

	"portal.example/domain"
)

// Category is the category of the streams.
const Category = "invoiceregister"

// Stream is the register of a business.
func Stream(businessID string) string { return Category + "-" + businessID }

// Event is something that happened to a register.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"InvoiceNumberTaken": NumberTaken{},
}

// NumberTaken says which invoice has a number.
type NumberTaken struct {
	Number    int64     `json:"number"`
	InvoiceID string    `json:"invoiceId"`
	At        time.Time `json:"at"`
}

func (NumberTaken) isEvent() {}

// State is how far a register has come.
type State struct {
	Last int64 // number given out last; 0: none yet
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case NumberTaken:
		s.Last = e.Number
	}
	return s
}

// TakeNumber asks for the next number on behalf of a frozen invoice.
type TakeNumber struct {
	InvoiceID string
	At        time.Time
}

// Decide gives out the next number.
func (c TakeNumber) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.ID("invoiceId", c.InvoiceID)
	if err := check.Err(); err != nil {
		return nil, err
	}
	return []Event{NumberTaken{Number: s.Last + 1, InvoiceID: c.InvoiceID, At: c.At}}, nil
}
