// Package whatif replays history under another rule: what a business's invoices
// would have come to, had the rule been in force, and who would have owed more or
// less. Nothing is appended and nobody is told.
//
// The events that were the work of the rule of then are taken out of each invoice's
// history, those of the other rule are put in at their moments, and what follows is
// worked out again: a payment came in as it did, but what it was used for depends
// on what was owed. What people would have done otherwise, nobody knows.
package whatif

import (
	"flag"
	"time"

	"portal.example/domain/invoice"
)

// Policy is a rule that history can be replayed under, with its parameters, which are
// also its JSON.
type Policy interface {
	// Name is the policy's name on the command line.
	Name() string

	// Short says in a line what it asks, Long what exactly the rule is.
	Short() string
	Long() string

	// Flags declares the parameters.
	Flags(*flag.FlagSet)

	// Check refuses parameters that make no rule. It names the flag.
	Check() error

	// Replaces tells whether an event was the work of the rule of then.
	Replaces(invoice.Event) bool

	// Next is the first event that the rule adds to an invoice after one moment and
	// not after another, if there is one. In between nothing else happened. An error
	// is an amount that is out of bounds.
	Next(s *Standing, after, until time.Time) (invoice.Event, bool, error)
}

// Policies are the policies there are, without parameters: a new one is a file and
// a line here.
func Policies() []Policy {
	return []Policy{&LateFee{}}
}

// Standing is an invoice in the middle of its history, as it is under the rule.
type Standing struct {
	invoice.State
	IssuedAt time.Time
	SentAt   time.Time // for the first time; zero before
	Zone     *time.Location
}
