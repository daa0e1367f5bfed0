package register_test

import (
	"testing"

	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice/register"
)

type decision = domaintest.Case[register.State, register.Event]

func taken(number int64) register.NumberTaken {
	return register.NumberTaken{Number: number, InvoiceID: domaintest.ID(int(number)), At: domaintest.Noon}
}

func TestTakeNumber(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{
			Name: "the first",
			When: register.TakeNumber{InvoiceID: domaintest.ID(1), At: domaintest.Noon}, Then: []register.Event{taken(1)},
		},
		{
			Name: "the next", Given: []register.Event{taken(1), taken(2)},
			When: register.TakeNumber{InvoiceID: domaintest.ID(3), At: domaintest.Noon}, Then: []register.Event{taken(3)},
		},
		{Name: "for nothing", When: register.TakeNumber{}, Faults: []string{"invoiceId: not_an_id"}},
	})
}

// Fifty writers read the register whenever they like and append at the revision
// they read, or read again; some die between the two. The nth event is number n
// all the same.
func TestNumbersLeaveNoGap(t *testing.T) {
	t.Parallel()
	type writer struct {
		state    register.State
		revision int
	}
	rapid.Check(t, func(t *rapid.T) {
		var log []register.Event
		writers := make([]writer, 50)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			n := rapid.IntRange(0, len(writers)-1).Draw(t, "writer")
			w := &writers[n]
			if rapid.Bool().Draw(t, "reads") {
				*w = writer{state: domain.Fold(register.State{}, log...), revision: len(log)}
				continue
			}
			events, err := register.TakeNumber{InvoiceID: domaintest.ID(n), At: domaintest.Noon}.Decide(w.state)
			if err != nil {
				t.Fatal(err)
			}
			if w.revision == len(log) && !rapid.Bool().Draw(t, "dies") {
				log = append(log, events...)
			}
		}
		for i, event := range log {
			if got := event.(register.NumberTaken).Number; got != int64(i+1) {
				t.Fatalf("event %d is number %d", i+1, got)
			}
		}
	})
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, register.Types, []register.Event{taken(1)})
}
