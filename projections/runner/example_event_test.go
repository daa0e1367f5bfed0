package runner_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// The first example of docs/extending.md: equipment that a business lends to
// its customers. In the portal this would be domain/loan.

// Event is something that happened to a loan.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"EquipmentLent":         Lent{},
	"EquipmentReturned":     Returned{},
	"EquipmentReportedLost": ReportedLost{},
}

// Lent says that the customer took the equipment along.
type Lent struct {
	LoanID     string    `json:"loanId"`
	CustomerID string    `json:"customerId"`
	Items      []string  `json:"items"`
	DueAt      time.Time `json:"dueAt"`
	At         time.Time `json:"at"`
}

// Returned says that all of it came back.
type Returned struct {
	CustomerID string    `json:"customerId"`
	At         time.Time `json:"at"`
}

// ReportedLost says that the customer cannot give it back. What they write
// about it is theirs: it is sealed under their key.
type ReportedLost struct {
	CustomerID string    `json:"customerId"`
	Account    string    `json:"account,omitempty" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

func (Lent) isEvent()         {}
func (Returned) isEvent()     {}
func (ReportedLost) isEvent() {}

// State is what decisions need to know of a loan.
type State struct {
	CustomerID string
	Out, Lost  bool
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Lent:
		s.CustomerID, s.Out = e.CustomerID, true
	case Returned:
		s.Out = false
	case ReportedLost:
		s.Out, s.Lost = false, true
	}
	return s
}

// ErrNotOut refuses what can only be done with equipment that is out.
var ErrNotOut = errors.New("the equipment is not out")

// Lend and ReportLost are commands.
type Lend struct {
	LoanID, CustomerID string
	Items              []string
	DueAt, At          time.Time
}

func (c Lend) Decide(s State) ([]Event, error) {
	if s.Out {
		return nil, nil // said before: nothing new
	}
	return []Event{Lent{LoanID: c.LoanID, CustomerID: c.CustomerID, Items: c.Items, DueAt: c.DueAt, At: c.At}}, nil
}

type ReportLost struct {
	Account string
	At      time.Time
}

func (c ReportLost) Decide(s State) ([]Event, error) {
	switch {
	case s.Lost:
		return nil, nil // said before: nothing new
	case !s.Out:
		return nil, ErrNotOut
	}
	return []Event{ReportedLost{CustomerID: s.CustomerID, Account: c.Account, At: c.At}}, nil
}

// eventTypes are the types for the codec. Lent was changed in a way that old
// events do not fit: a loan used to be of one item.
func eventTypes() []eventstore.EventType {
	return eventstore.Events(Types, eventstore.Event[Lent]("EquipmentLent", 2, eventstore.Upcaster{
		Name: "EquipmentLent", Version: 1, Up: manyItems,
	}))
}

// manyItems turns {"item": "ladder"} into {"items": ["ladder"]}.
func manyItems(old json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(old, &fields); err != nil {
		return nil, err
	}
	fields["items"] = append(append(json.RawMessage("["), fields["item"]...), ']')
	delete(fields, "item")
	return json.Marshal(fields)
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestReportingALoss(t *testing.T) {
	lent := Lent{LoanID: "loan", CustomerID: "dana", Items: []string{"ladder"}, DueAt: noon.AddDate(0, 0, 7), At: noon}
	lost := ReportedLost{CustomerID: "dana", Account: "It fell into the canal.", At: noon}
	report := ReportLost{Account: lost.Account, At: noon}
	for name, c := range map[string]struct {
		given []Event
		then  []Event
		err   error
	}{
		"of what is out":      {given: []Event{lent}, then: []Event{lost}},
		"again":               {given: []Event{lent, lost}},
		"of what was brought": {given: []Event{lent, Returned{CustomerID: "dana", At: noon}}, err: ErrNotOut},
		"of nothing":          {err: ErrNotOut},
	} {
		t.Run(name, func(t *testing.T) {
			var s State
			for _, e := range c.given {
				s = s.Evolve(e)
			}
			got, err := report.Decide(s)
			if d := cmp.Diff(c.then, got); d != "" || !errors.Is(err, c.err) {
				t.Errorf("%v %s", err, d)
			}
		})
	}
}

func TestEventsAreStoredAsTheyEverWere(t *testing.T) {
	codectest.Golden(t, "testdata", eventTypes(),
		Lent{LoanID: "loan", CustomerID: "dana", Items: []string{"ladder", "drill"}, DueAt: noon.AddDate(0, 0, 7), At: noon},
		Returned{CustomerID: "dana", At: noon},
		ReportedLost{CustomerID: "dana", Account: "It fell into the canal.", At: noon},
	)
}
