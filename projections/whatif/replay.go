package whatif

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"portal.example/domain/invoice"
	"portal.example/domain/money"
)

// Pair is an amount as it is and as it would be, in minor units.
type Pair struct {
	Actual     int64 `json:"actual"`
	Rule       int64 `json:"rule"`
	Difference int64 `json:"difference"` // rule - actual
}

func pair(actual, rule int64) Pair { return Pair{actual, rule, rule - actual} }

func (p Pair) plus(q Pair) Pair {
	return Pair{p.Actual + q.Actual, p.Rule + q.Rule, p.Difference + q.Difference}
}

// Figures are what a rule makes a difference to.
type Figures struct {
	LateFees    Pair `json:"lateFees"`    // nothing where the invoice is void
	Outstanding Pair `json:"outstanding"` // left to be paid
}

func (f Figures) differ() bool { return f.LateFees.Difference != 0 || f.Outstanding.Difference != 0 }

func (f Figures) plus(g Figures) Figures {
	return Figures{f.LateFees.plus(g.LateFees), f.Outstanding.plus(g.Outstanding)}
}

// compare replays the history of one invoice, up to a moment.
func compare(policy Policy, history []invoice.Event, zone *time.Location, now time.Time) (Figures, error) {
	actual := Standing{Zone: zone}
	for _, e := range history {
		actual.evolve(e)
	}
	rule, err := replay(policy, history, zone, now)
	if err != nil {
		return Figures{}, err
	}
	return Figures{
		LateFees:    pair(actual.lateFees(), rule.lateFees()),
		Outstanding: pair(actual.Balance().Amount, rule.Balance().Amount),
	}, nil
}

// replay is the invoice at a moment, had the rule been in force.
func replay(policy Policy, history []invoice.Event, zone *time.Location, now time.Time) (*Standing, error) {
	s := &Standing{Zone: zone}
	after := time.Time{}
	for _, e := range inTime(history) {
		if policy.Replaces(e) {
			continue
		}
		if err := s.advance(policy, after, at(e)); err != nil {
			return nil, err
		}
		s.evolve(s.again(e))
		after = later(after, at(e))
		if _, is := e.(invoice.Issued); is {
			after = at(e).Add(-1) // the rule may strike at the issue itself
		}
	}
	return s, s.advance(policy, after, now)
}

// advance adds what the rule does of itself until something else happens.
func (s *Standing) advance(policy Policy, after, until time.Time) error {
	for {
		e, does, err := policy.Next(s, after, until)
		if err != nil || !does {
			return err
		}
		s.evolve(e)
		if !at(e).After(after) {
			return fmt.Errorf("whatif: policy %s does not come forward from %s", policy.Name(), after)
		}
		after = at(e)
	}
}

func (s *Standing) evolve(e invoice.Event) {
	s.State = s.Evolve(e)
	if issued, is := e.(invoice.Issued); is {
		s.IssuedAt = issued.At
	}
	if sent, is := e.(invoice.Sent); is && s.SentAt.IsZero() {
		s.SentAt = sent.At
	}
}

// again is the event as it would have been, with what was owed then. Only those
// that use money depend on that.
func (s *Standing) again(e invoice.Event) invoice.Event {
	if p, is := e.(invoice.PaymentReceived); is {
		p.Allocated = money.Min(p.Received, s.Balance())
		p.Surplus = p.Received.Minus(p.Allocated)
		return p
	}
	if n, is := e.(invoice.CreditNoteIssued); is { // nobody takes back more than is billed
		n.Amount = money.Min(n.Amount, s.Billed)
		n.Surplus = n.Amount.Minus(money.Min(n.Amount, s.Balance()))
		return n
	}
	return e
}

func (s *Standing) lateFees() int64 {
	if s.Status != invoice.StatusIssued {
		return 0
	}
	sum, _ := lateFees(s.State)
	return sum
}

// inTime is the history in the order of what happened when: a payment may be
// recorded long after the money arrived. Nothing comes before the issue.
func inTime(history []invoice.Event) []invoice.Event {
	issue := slices.IndexFunc(history, func(e invoice.Event) bool {
		_, is := e.(invoice.Issued)
		return is
	})
	ordered := slices.Clone(history)
	slices.SortStableFunc(ordered[issue+1:], func(a, b invoice.Event) int { return at(a).Compare(at(b)) })
	return ordered
}

// at is when the event happened, which every event of an invoice says.
func at(e invoice.Event) time.Time {
	return reflect.ValueOf(e).FieldByName("At").Interface().(time.Time)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
