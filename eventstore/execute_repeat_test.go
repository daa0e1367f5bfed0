package eventstore_test

import (
	"errors"
	"slices"
	"testing"

	"portal.example/eventstore"
)

func TestARepeatGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	execute(t, c, envelope(), Take{Cents: 10})
	m := envelope()
	first := execute(t, c, m, Take{Cents: 50})
	execute(t, c, envelope(), Give{Cents: 60}) // with which the repeat would be decided otherwise

	m.RecordedAt = m.RecordedAt.Add(1)
	same(t, first, execute(t, c, m, Take{Cents: 50}))
	same(t, first, execute(t, newTills(t, log), m, Take{Cents: 50})) // after a restart
	if got := log.events(till); len(got) != 5 {
		t.Errorf("the stream holds %v", got)
	}
}

func TestEqualCommandsWithTwoKeysAreTwo(t *testing.T) {
	t.Parallel()
	c := newTills(t, newMemoryLog())
	execute(t, c, envelope(), Take{Cents: 50})
	if got := execute(t, c, envelope(), Take{Cents: 50}).State.Cents; got != 100 {
		t.Errorf("twice 50 came to %d", got)
	}
}

func TestAKeyServesOneRequest(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	m := envelope()
	execute(t, c, m, Take{Cents: 50})
	m.Fingerprint[0]++
	for name, c := range map[string]tills{"cached": c, "fresh": newTills(t, log)} {
		if _, err := c.Execute(t.Context(), till, m, Take{Cents: 70}); !errors.Is(err, eventstore.ErrKeyReused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusalsAndNothingNewBindNothing(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	give, balance := envelope(), envelope()

	empty := execute(t, c, balance, Balance{Cents: 0})
	if !empty.NothingNew() || empty.Last != 0 || empty.Position != eventstore.Start() {
		t.Errorf("nothing new on no stream: %+v", empty)
	}
	if _, err := c.Execute(t.Context(), till, give, Give{Cents: 20}); !errors.Is(err, errEmpty) {
		t.Fatalf("not refused: %v", err)
	}
	taken := execute(t, c, envelope(), Take{Cents: 50})
	unchanged := execute(t, c, balance, Balance{Cents: 50})
	if !unchanged.NothingNew() || unchanged.Last != taken.Last || unchanged.Position != taken.Position ||
		unchanged.State.Cents != 50 {
		t.Errorf("nothing new: %+v", unchanged)
	}

	execute(t, c, give, Give{Cents: 20})
	if got := execute(t, c, balance, Balance{Cents: 50}); got.NothingNew() {
		t.Errorf("the key of a command that said nothing is taken: %+v", got)
	}
	if got, want := log.events(till), []string{"TillTook", "TillBalanced", "TillGave", "TillBalanced"}; !slices.Equal(got, want) {
		t.Errorf("the stream holds %v", got)
	}
}

func TestALostAnswerIsFoundByTheRepeat(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]fault{"request lost": lostBefore, "answer lost": lostAfter} {
		log := newMemoryLog()
		c := newTills(t, log)
		execute(t, c, envelope(), Take{Cents: 10})

		m := envelope()
		log.fault = func(string) fault { return lost }
		if _, err := c.Execute(t.Context(), till, m, Take{Cents: 50}); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("%s: %v", name, err)
		}
		log.fault = nil
		m.RecordedAt = m.RecordedAt.Add(1)
		got := execute(t, c, m, Take{Cents: 50})
		if got.State.Cents != 60 || got.First != 2 || got.Last != 3 {
			t.Errorf("%s: answered %+v", name, got)
		}
		if n := len(log.events(till)); n != 4 {
			t.Errorf("%s: %d events", name, n)
		}
	}
}

// Two instances get the same command at the same time. The log must not take
// the second for a repeat of the first: what the second decided is not what is
// stored.
func TestAttemptsThatRaceGetTheStoredAnswer(t *testing.T) {
	t.Parallel()
	for name, differ := range map[string]func(*eventstore.Metadata){
		"at another moment": func(m *eventstore.Metadata) { m.RecordedAt = m.RecordedAt.Add(1) },
		"another request":   func(m *eventstore.Metadata) { m.Fingerprint[0]++ },
	} {
		log := newMemoryLog()
		here, there := newTills(t, log), newTills(t, log)
		execute(t, here, envelope(), Take{Cents: 10})

		m := envelope()
		ctx := t.Context()
		var winner tillResult
		log.fault = func(string) fault {
			log.fault = nil
			winner = execute(t, there, m, Take{Cents: 50})
			return none
		}
		late := m
		differ(&late)
		got, err := here.Execute(ctx, till, late, Take{Cents: 70})
		if late.Fingerprint == m.Fingerprint {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			same(t, winner, got)
		} else if !errors.Is(err, eventstore.ErrKeyReused) {
			t.Errorf("%s: %v", name, err)
		}
		if sum := execute(t, here, envelope(), Take{Cents: 1}).State.Cents; sum != 61 {
			t.Errorf("%s: %d in the till", name, sum)
		}
	}
}
