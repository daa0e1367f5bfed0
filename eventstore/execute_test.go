package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

var _ eventstore.Log = (*eventstore.Client)(nil)

func TestExecuteAnswers(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	m := envelope()

	got := execute(t, c, m, Take{Cents: 50})
	want := tillResult{
		CommandID: m.CommandID,
		Stream:    till,
		State:     Till{Cents: 50, Ledger: []int{50}},
		Events:    []TillEvent{Took{Cents: 50, By: "dana", Note: "cash"}, Balanced{Cents: 50}},
		EventIDs:  []uuid.UUID{eventstore.EventID(m, till, 0), eventstore.EventID(m, till, 1)},
		First:     0,
		Last:      1,
		Position:  eventstore.Position{Commit: 200, Prepare: 200},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	next := execute(t, c, envelope(), Give{Cents: 20})
	if next.First != 2 || next.Last != 2 || next.State.Cents != 30 {
		t.Errorf("the next answer is %+v", next)
	}
	if reads, appends := log.counts(); reads != 1 || appends != 2 {
		t.Errorf("%d reads and %d appends for two commands", reads, appends)
	}
}

// What an instance knows may be stale; it must not refuse on that.
func TestAStaleStateDecidesNothing(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	here, there := newTills(t, log), newTills(t, log)

	execute(t, here, envelope(), Take{Cents: 10})
	execute(t, there, envelope(), Take{Cents: 50})
	execute(t, here, envelope(), Give{Cents: 60}) // would be refused with 10

	execute(t, there, envelope(), Take{Cents: 5})
	if got := execute(t, here, envelope(), Balance{Cents: 0}); got.NothingNew() {
		t.Errorf("said nothing new with %d in the till", got.State.Cents)
	}
	execute(t, there, envelope(), Take{Cents: 5})
	if got := execute(t, here, envelope(), Take{Cents: 5}); got.State.Cents != 15 {
		t.Errorf("%d in the till", got.State.Cents) // here was in conflict, and read on
	}
}

// A log that was restored from a backup is behind what is remembered of it.
func TestALogThatWentBackIsReadFromTheBeginning(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	execute(t, c, envelope(), Take{Cents: 10})
	execute(t, c, envelope(), Take{Cents: 5})
	log.streams[till] = log.streams[till][:2]
	if got := execute(t, c, envelope(), Take{Cents: 1}); got.State.Cents != 11 || got.First != 2 {
		t.Errorf("%d in the till from revision %d on", got.State.Cents, got.First)
	}
}

func TestConflictsAreRetriedSoOften(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	here, there := newTills(t, log), newTills(t, log)
	ctx := t.Context()
	interfering := false
	log.fault = func(string) fault {
		if !interfering {
			interfering = true
			if _, err := there.Execute(ctx, till, envelope(), Take{Cents: 1}); err != nil {
				t.Error(err)
			}
			interfering = false
		}
		return none
	}
	_, err := here.Execute(ctx, till, envelope(), Take{Cents: 100})
	if !errors.Is(err, eventstore.ErrWrongExpected) {
		t.Errorf("gave up with %v", err)
	}
	log.fault = nil
	got := execute(t, here, envelope(), Take{Cents: 100})
	if interferences := got.State.Cents - 100; interferences != 25 {
		t.Errorf("gave up after %d conflicts", interferences)
	}
}

func TestAnEvictedStreamIsReadAgain(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTillsWith(t, log, codectest.NewKeyring(), 2)
	for range 2 {
		for _, id := range []string{"1", "2", "3"} {
			if _, err := c.Execute(t.Context(), c.Stream(id), envelope(), Take{Cents: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if reads, _ := log.counts(); reads != 6 {
		t.Errorf("%d reads of 3 streams with room for 2", reads)
	}
	if got := execute(t, c, envelope(), Take{Cents: 1}); got.State.Cents != 3 {
		t.Errorf("%d in the till", got.State.Cents)
	}
}

func TestALongStreamIsFoldedWithFewQueries(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	keys := codectest.NewKeyring()
	c := newTillsWith(t, log, keys, 1)
	var last tillResult
	for range 700 {
		last = execute(t, c, envelope(), Take{Cents: 1})
	}
	before := keys.Queries()
	fresh := newTillsWith(t, log, keys, 1)
	got := execute(t, fresh, envelope(), Balance{Cents: 700})
	if diff := cmp.Diff(last.State, got.State); diff != "" || got.Last != 1399 {
		t.Errorf("folded to revision %d\n%s", got.Last, diff)
	}
	if asked := keys.Queries() - before; asked > 3 {
		t.Errorf("%d queries for 1,400 events", asked)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	arrived, release := make(chan struct{}), make(chan struct{})
	log.fault = func(string) fault {
		close(arrived)
		<-release
		return none
	}
	done := make(chan error)
	go func() {
		_, err := c.Execute(t.Context(), till, envelope(), Take{Cents: 1})
		done <- err
	}()
	<-arrived

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Execute(ctx, till, envelope(), Take{Cents: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("waited in vain with %v", err)
	}
	log.fault = nil
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	execute(t, c, envelope(), Take{Cents: 1})
}

func TestForeignStreamsAndEvents(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	c := newTills(t, log)
	for _, stream := range []string{"", "till", "till-", "tills-1", "quote-1"} {
		if _, err := c.Execute(t.Context(), stream, envelope(), Take{Cents: 1}); err == nil {
			t.Errorf("executed on %q", stream)
		}
	}
	for _, name := range []string{"", "a-b", "$till"} {
		if _, err := eventstore.NewCategory[Till, TillEvent](name, log, nil, 1); err == nil {
			t.Errorf("made a category %q", name)
		}
	}
	if _, err := eventstore.NewCategory[Till, TillEvent]("till", log, nil, 0); err == nil {
		t.Error("made a category without a cache")
	}

	// A stream with an event that is registered, but no till's.
	codec, err := eventstore.NewCodec(codectest.NewKeyring(),
		append(eventstore.Events(tillTypes), eventstore.Event[Noted]("Noted", 1))...)
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := eventstore.NewCategory[Till, TillEvent]("till", log, codec, 1)
	if err != nil {
		t.Fatal(err)
	}
	proposed, err := codec.Encode(t.Context(), till, envelope(), Noted{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), till, eventstore.NoStream(), proposed...); err != nil {
		t.Fatal(err)
	}
	if got, err := mixed.Execute(t.Context(), till, envelope(), Take{Cents: 1}); err == nil {
		t.Errorf("folded a foreign event: %+v", got)
	}
}

// OneWay is written in a form that it cannot read.
type OneWay struct{}

func (OneWay) isTillEvent()                  {}
func (OneWay) MarshalJSON() ([]byte, error)  { return []byte(`"gone"`), nil }
func (*OneWay) UnmarshalJSON(_ []byte) error { return errors.New("unreadable") }

type goOneWay struct{}

func (goOneWay) Decide(Till) ([]TillEvent, error) { return []TillEvent{OneWay{}}, nil }

func TestWhatCannotBeReadBackIsNeverWritten(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	codec, err := eventstore.NewCodec(codectest.NewKeyring(), eventstore.Event[OneWay]("OneWay", 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := eventstore.NewCategory[Till, TillEvent]("till", log, codec, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Execute(t.Context(), till, envelope(), goOneWay{}); err == nil {
		t.Error("written")
	}
	if _, err := c.Execute(t.Context(), till, envelope(), Take{Cents: 1}); !errors.Is(err, eventstore.ErrUnknownType) {
		t.Errorf("an unregistered event: %v", err)
	}
	if _, appends := log.counts(); appends != 0 {
		t.Errorf("%d appends", appends)
	}
}

// BenchmarkExecute has the state in its cache and a log that costs nothing:
// what is left is encoding, deciding, folding and the bookkeeping.
func BenchmarkExecute(b *testing.B) {
	c := newTills(b, newMemoryLog())
	m := envelope()
	m.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, bench := range []struct {
		name string
		cmd  tillOrder
	}{
		{"one-event", Balance{Cents: 1}},
		{"two-events-one-personal", Take{Cents: 0}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				m.CommandID = uuid.New()
				stream := fmt.Sprintf("till-%s-%d", bench.name, n/100%100)
				if _, err := c.Execute(b.Context(), stream, m, bench.cmd); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
