package eventstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// A till takes and gives money, and keeps a ledger of it. It is the aggregate
// of these tests.
type (
	TillEvent interface{ isTillEvent() }

	Took struct {
		Cents int    `json:"cents"`
		By    string `json:"by"`
		Note  string `json:"note,omitempty" personal:"By"`
	}
	Gave struct {
		Cents int `json:"cents"`
	}
	Balanced struct {
		Cents int `json:"cents"`
	}

	Till struct {
		Cents  int
		Ledger []int
	}
)

func (Took) isTillEvent()     {}
func (Gave) isTillEvent()     {}
func (Balanced) isTillEvent() {}

var tillTypes = map[string]TillEvent{"TillTook": Took{}, "TillGave": Gave{}, "TillBalanced": Balanced{}}

func (t Till) Evolve(event TillEvent) Till {
	switch e := event.(type) {
	case Took:
		t.Cents += e.Cents
		t.Ledger = append(slices.Clip(t.Ledger), e.Cents) // never into an array that another state has
	case Gave:
		t.Cents -= e.Cents
		t.Ledger = append(slices.Clip(t.Ledger), -e.Cents)
	case Balanced:
	}
	return t
}

// The commands. Take records two events, Give may be refused, and Balance has
// nothing new to say where the sum is right.
type (
	Take    struct{ Cents int }
	Give    struct{ Cents int }
	Balance struct{ Cents int }
)

var errEmpty = errors.New("not enough in the till")

func (c Take) Decide(t Till) ([]TillEvent, error) {
	return []TillEvent{Took{Cents: c.Cents, By: "dana", Note: "cash"}, Balanced{Cents: t.Cents + c.Cents}}, nil
}

func (c Give) Decide(t Till) ([]TillEvent, error) {
	if c.Cents > t.Cents {
		return nil, errEmpty
	}
	return []TillEvent{Gave(c)}, nil
}

func (c Balance) Decide(t Till) ([]TillEvent, error) {
	if c.Cents == t.Cents {
		return nil, nil
	}
	return []TillEvent{Balanced(c)}, nil
}

type (
	tills      = *eventstore.Category[Till, TillEvent]
	tillResult = eventstore.Result[Till, TillEvent]
	tillOrder  = eventstore.Command[Till, TillEvent]
)

const till = "till-1"

// newTills makes what one instance of the portal has.
func newTills(t testing.TB, log eventstore.Log) tills {
	t.Helper()
	return newTillsWith(t, log, codectest.NewKeyring(), 100)
}

func newTillsWith(t rapid.TB, log eventstore.Log, keys eventstore.Keyring, cached int) tills {
	t.Helper()
	codec, err := eventstore.NewCodec(keys, eventstore.Events(tillTypes)...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := eventstore.NewCategory[Till, TillEvent]("till", log, codec, cached)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func execute(t testing.TB, c tills, m eventstore.Metadata, cmd tillOrder) tillResult {
	t.Helper()
	result, err := c.Execute(t.Context(), till, m, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func same(t testing.TB, want, got tillResult) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another answer (-first +repeat):\n%s", diff)
	}
}
