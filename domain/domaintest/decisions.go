// Package domaintest tests capabilities in the words they are written in: given
// events, when a command, then events or a refusal.
package domaintest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
)

// Case is one decision.
type Case[S domain.Folded[S, E], E any] struct {
	Name  string
	Given []E
	When  domain.Decider[S, E]

	// One of these, or none of them where nothing new is to be said.
	Then    []E
	Refused *domain.Error // compared by code
	Faults  []string      // of an invalid command: "field: code", in order
}

// Run tests the decisions. It also makes sure that neither deciding nor folding
// changed the state they were given, which caches share.
func Run[S domain.Folded[S, E], E any](t *testing.T, cases []Case[S, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			state := domain.Fold(*new(S), c.Given...)
			got, err := c.When.Decide(state)
			c.compare(t, got, err)

			domain.Fold(state, got...)
			if diff := cmp.Diff(domain.Fold(*new(S), c.Given...), state); diff != "" {
				t.Errorf("the state was changed in place (-before +after):\n%s", diff)
			}
		})
	}
}

func (c Case[S, E]) compare(t *testing.T, got []E, err error) {
	t.Helper()
	if diff := cmp.Diff(c.Then, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	switch {
	case c.Refused != nil:
		if !errors.Is(err, c.Refused) {
			t.Errorf("refused with %v, want %v", err, c.Refused)
		}
	case c.Faults != nil:
		if diff := cmp.Diff(c.Faults, Faults(err)); diff != "" {
			t.Errorf("faults of %v (-want +got):\n%s", err, diff)
		}
	case err != nil:
		t.Errorf("refused with %v", err)
	}
}

// Apart tests that two states which follow from the same one share nothing that
// either could write to. Given should end in three of what the events add to: a
// slice of three has room for a fourth.
func Apart[S domain.Folded[S, E], E any](t *testing.T, given []E, one, other E) {
	t.Helper()
	common := domain.Fold(*new(S), given...)
	first := common.Evolve(one)
	common.Evolve(other)
	if diff := cmp.Diff(domain.Fold(*new(S), given...).Evolve(one), first); diff != "" {
		t.Errorf("what followed from %T shows in what followed from %T:\n%s", other, one, diff)
	}
}

// Faults writes each field at fault as "field: code".
func Faults(err error) []string {
	refusal, ok := errors.AsType[*domain.Error](err)
	if !ok {
		return nil
	}
	var faults []string
	for _, problem := range refusal.Problems() {
		faults = append(faults, problem.Field+": "+problem.Code)
	}
	return faults
}
