package domain_test

import (
	"errors"
	"testing"

	"portal.example/domain"
)

// counter is a document whose version is the number of its events.
type counter int

func (c counter) Evolve(struct{}) counter { return c + 1 }
func (c counter) DocumentVersion() int    { return int(c) }

type count struct{}

var errNoCounter = &domain.Error{Kind: domain.NotFound, Code: "no_counter"}

func (count) Decide(c counter) ([]struct{}, error) {
	if c == 0 {
		return nil, errNoCounter
	}
	return []struct{}{{}}, nil
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	guarded := domain.IfMatch(2, count{})

	if events, err := guarded.Decide(domain.Fold(counter(0), struct{}{}, struct{}{})); err != nil || len(events) != 1 {
		t.Errorf("at its version: %v, %v", events, err)
	}
	events, err := guarded.Decide(3)
	refusal, _ := errors.AsType[*domain.Error](err)
	if events != nil || !errors.Is(err, domain.ErrVersion) || refusal.Details != (domain.VersionMismatch{Expected: 2, Current: 3}) {
		t.Errorf("at another version: %v, %#v", events, err)
	}
	if _, err := guarded.Decide(0); !errors.Is(err, errNoCounter) {
		t.Errorf("without a document: %v", err)
	}
}

func TestOnlyContact(t *testing.T) {
	t.Parallel()
	for _, kind := range []domain.ActorKind{domain.Staff, domain.StaffAsContact, domain.Integration, domain.System} {
		if err := domain.OnlyContact(domain.Actor{Kind: kind, ID: "x"}); !errors.Is(err, domain.ErrOnlyContact) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := domain.OnlyContact(domain.Actor{Kind: domain.Contact}); err == nil {
		t.Error("a contact without an id passes")
	}
	if err := domain.OnlyContact(domain.Actor{Kind: domain.Contact, ID: "x"}); err != nil {
		t.Error(err)
	}
}
