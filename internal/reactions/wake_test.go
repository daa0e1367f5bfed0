package reactions_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

func TestAnEventWakesItsReaction(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var old, sent witness
	h.happen("Sent", eventstore.OriginLive) // from before there was the reaction
	r := h.run(sent.reaction("one", "Sent"), old.reaction("other", "Viewed"))
	live := h.happen("Sent", eventstore.OriginLive)
	imported := h.happen("Sent", eventstore.OriginImport)
	again := h.happen("Sent", eventstore.OriginLive)
	h.until("all three are dealt with", func() bool { return r.counted("handled", "one", "wake-up") == 3 })
	if sent.times(live) != 1 || sent.times(again) != 1 || sent.times(imported) != 0 || sent.events() != 2 || old.events() != 0 {
		t.Errorf("acted on %v", sent.seen)
	}
	want := reactions.Event{
		ID: sent.last.ID, Type: "Sent", Stream: "thing-" + sent.last.ID.String(), Business: "acme", CorrelationID: correlation,
	}
	if sent.last != want {
		t.Errorf("was told %+v, want %+v", sent.last, want)
	}
	h.until("nothing is parked", func() bool { return len(h.parked("one", "Sent")) == 0 })
}

// What a reaction has dealt with stays so over restarts, and what happens in
// between waits for it.
func TestAReactionGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	first := h.run(w.reaction("one", "Sent"))
	before := h.happen("Sent", eventstore.OriginLive)
	h.until("it is seen", func() bool { return w.times(before) == 1 })
	first.stop()
	between := h.happen("Sent", eventstore.OriginLive)
	second := h.run(w.reaction("one", "Sent"))
	h.until("it is seen", func() bool { return w.times(between) == 1 })
	after := h.happen("Sent", eventstore.OriginLive)
	h.until("it is seen", func() bool { return w.times(after) == 1 })
	if n := second.counted("handled", "one", "wake-up"); w.times(before) != 1 || n != 2 {
		t.Errorf("the first was seen %d times, the second reactor dealt with %d", w.times(before), n)
	}
}

var errBroken = errors.New("it is broken")

func TestAReactionThatFailsDelaysNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	var tried atomic.Int32
	r := h.run(w.reaction("good", "Sent"), reactions.Reaction{
		Name: "bad", Event: "Sent", Act: func(context.Context, reactions.Event) error {
			tried.Add(1)
			return errBroken
		},
	})
	const events = 40 // more than are tried at once
	ids := make([]uuid.UUID, events)
	for i := range ids {
		ids[i] = h.happen("Sent", eventstore.OriginLive)
	}
	h.until("the good one has dealt with all", func() bool { return r.counted("handled", "good", "wake-up") == events })
	if tried.Load() == 0 {
		t.Error("the bad one had not tried: it shows nothing")
	}
	h.until("a job goes on with each of the bad one's", func() bool {
		jobs, states, trouble := h.stored("bad")
		return jobs == events && !strings.Contains(states, "completed") && strings.Contains(trouble, errBroken.Error())
	})
	if failed, parked := r.counted("failed", "bad", "wake-up"), len(h.parked("bad", "Sent")); failed != 3*events || parked != 0 {
		t.Errorf("counted %d tries that failed of %d events, and %d are parked", failed, events, parked)
	}
	for _, id := range ids {
		if w.times(id) != 1 {
			t.Errorf("%s was seen %d times", id, w.times(id))
		}
	}
}

func TestAPanicIsParkedWithItsStack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.run(reactions.Reaction{Name: "bad", Event: "Sent", Act: panickyReaction})
	id := h.happen("Sent", eventstore.OriginLive)
	h.until("it is parked", func() bool { return len(h.parked("bad", "Sent")) == 1 })
	if reason := h.parked("bad", "Sent")[id]; !strings.Contains(reason, "oh dear") || !strings.Contains(reason, "panickyReaction") {
		t.Errorf("parked with %s", reason)
	}
	if n := r.counted("failed", "bad", "wake-up"); n != 1 {
		t.Errorf("tried %d times", n)
	}
}

func panickyReaction(context.Context, reactions.Event) error { panic("oh dear") }

// Of a log or a database that is away no event is to blame.
func TestAnOutageParksNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	var tried atomic.Int32
	r := h.run(reactions.Reaction{Name: "one", Event: "Sent", Act: func(_ context.Context, e reactions.Event) error {
		if tried.Add(1) <= 7 { // more than the tries of a delivery
			return fmt.Errorf("reading: %w", eventstore.ErrUnavailable)
		}
		w.see(e)
		return nil
	}})
	id := h.happen("Sent", eventstore.OriginLive)
	h.until("it is seen in the end", func() bool { return w.times(id) == 1 })
	if parked := len(h.parked("one", "Sent")) + r.counted("parked", "one", "wake-up"); parked != 0 {
		t.Errorf("%d are parked", parked)
	}
}

// A service that does not answer, or takes too long, holds up nothing but the
// events that it fails for.
func TestWhatIsElsewhereFailsItsOwnEventsOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	var failing sync.Map // streams
	r := h.run(reactions.Reaction{Name: "one", Event: "Sent", Act: func(_ context.Context, e reactions.Event) error {
		if err, fails := failing.Load(e.ID); fails {
			return fmt.Errorf("telling the hook: %w", err.(error))
		}
		w.see(e)
		return nil
	}})
	const bad = 10 // more than are handled at once
	for i := range bad {
		err := error(&url.Error{Op: "Post", URL: "https://hook.example", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}})
		if i%2 == 0 {
			err = context.DeadlineExceeded
		}
		id := uuid.New()
		failing.Store(id, err)
		h.happenAs(id, "Sent", eventstore.OriginLive)
	}
	good := h.happen("Sent", eventstore.OriginLive)
	h.until("the event behind them is handled", func() bool { return w.times(good) == 1 })
	h.until("the others have jobs", func() bool { jobs, _, _ := h.stored("one"); return jobs == bad })
	if failed := r.counted("failed", "one", "wake-up"); failed < bad {
		t.Errorf("%d tries failed", failed)
	}
}

// What hangs gives its place back: a job goes on with it, and has more time.
func TestAWakeUpThatHangsBecomesAJob(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	var hung sync.Map
	r := h.run(reactions.Reaction{Name: "one", Event: "Sent", Act: func(ctx context.Context, e reactions.Event) error {
		if _, again := hung.LoadOrStore(e.ID, true); !again {
			<-ctx.Done()
			return ctx.Err()
		}
		w.see(e)
		return nil
	}})
	const events = 10 // more than are handled at once
	for range events {
		h.happen("Sent", eventstore.OriginLive)
	}
	h.until("jobs have dealt with all", func() bool { return r.counted("handled", "one", "job") == events })
	if failed := r.counted("failed", "one", "wake-up"); failed != events || w.events() != events {
		t.Errorf("%d tries failed, acted on %d events", failed, w.events())
	}
}

// Stopping takes less than five seconds whatever is under way, and what did not
// come to its end comes again.
func TestStoppingLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begun := make(chan string, 100)
	stopping := make(chan struct{})
	hung := make(chan struct{})
	t.Cleanup(func() { close(hung) })
	ways := map[string]func(context.Context) error{
		"ends-soon": func(ctx context.Context) error {
			<-stopping
			return ctx.Err() // not over yet
		},
		"minds": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"hangs": func(context.Context) error {
			<-hung
			return nil
		},
	}
	var list, after []reactions.Reaction
	var seen [3]witness
	for name, way := range ways {
		w := &seen[len(list)]
		list = append(list, reactions.Reaction{Name: name, Event: "Sent", Act: func(ctx context.Context, _ reactions.Event) error {
			begun <- name
			return way(ctx)
		}})
		after = append(after, w.reaction(name, "Sent"))
	}
	r := h.run(list...)
	id := h.happen("Sent", eventstore.OriginLive)
	for range ways {
		<-begun
	}
	began := time.Now()
	r.cancel()
	close(stopping)
	<-r.ended
	if took := time.Since(began); took >= 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	h.run(after...)
	later := h.happen("Sent", eventstore.OriginLive)
	for i, reaction := range after {
		w := &seen[i]
		want := 1
		if reaction.Name == "ends-soon" {
			want = 0 // it had come to its end
		}
		h.until(reaction.Name+" goes on", func() bool { return w.times(later) == 1 && w.times(id) >= want })
		if w.times(id) != want {
			t.Errorf("%s was woken %d times after the stop, want %d", reaction.Name, w.times(id), want)
		}
		if n := len(h.parked(reaction.Name, "Sent")); n != 0 {
			t.Errorf("%s has parked %d", reaction.Name, n)
		}
	}
}

func TestReactionsThatAreNotWellFormed(t *testing.T) {
	t.Parallel()
	act := func(context.Context, reactions.Event) error { return nil }
	for want, list := range map[string][]reactions.Reaction{
		"name":  {{Name: "Quote Expiry", Event: "Sent", Act: act}},
		"two":   {{Name: "a", Event: "Sent", Act: act}, {Name: "a", Event: "Viewed", Act: act}},
		"event": {{Name: "a", Act: act}},
		"act":   {{Name: "a", Event: "Sent"}},
	} {
		if _, err := reactions.New(t.Context(), reactions.Config{Reactions: list}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", list, err)
		}
	}
}
