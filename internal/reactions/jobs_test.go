package reactions_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

// dueAt is a reaction that acts when the clock shows the moment.
func (w *witness) dueAt(name string, due time.Time) reactions.Reaction {
	r := w.reaction(name, "Sent")
	r.Due = func(context.Context, reactions.Event) (time.Time, error) { return due, nil }
	return r
}

// stored is what Postgres has of the jobs of a reaction.
func (h *house) stored(reaction string) (jobs int, states, trouble string) {
	h.t.Helper()
	err := h.pool.QueryRow(h.t.Context(), `
		SELECT count(*), coalesce(string_agg(state::text, ' '), ''), coalesce(string_agg(errors::text, ' '), '')
		FROM jobs.river_job WHERE queue = $1`, reaction).Scan(&jobs, &states, &trouble)
	if err != nil {
		h.t.Fatal(err)
	}
	return jobs, states, trouble
}

// The portal's clock decides when something is due, also where the queue's is
// ahead.
func TestAJobWaitsForItsTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var clock atomic.Int64
	now := func() time.Time { return time.UnixMicro(clock.Load()) }
	clock.Store(time.Now().Add(-time.Hour).UnixMicro())
	var w, never witness
	r := h.runAt(now, w.dueAt("timer", now().Add(time.Minute)), never.dueAt("never", time.Time{}))
	id := h.happen("Sent", eventstore.OriginLive)
	imported := h.happen("Sent", eventstore.OriginImport)
	h.until("there is a job that came too early", func() bool {
		var snoozed int
		err := h.pool.QueryRow(t.Context(), `SELECT count(*) FROM jobs.river_job WHERE metadata ? 'snoozes'`).Scan(&snoozed)
		return err == nil && snoozed == 1
	})
	if w.events() != 0 {
		t.Error("it acted before its time")
	}
	clock.Add(time.Minute.Microseconds())
	h.until("it has acted", func() bool { return r.counted("handled", "timer", "job") == 1 })
	h.until("wake-ups are over", func() bool {
		return r.counted("handled", "timer", "wake-up") == 2 && r.counted("handled", "never", "wake-up") == 2
	})
	jobs, _, _ := h.stored("timer")
	none, _, _ := h.stored("never")
	if w.times(id) != 1 || w.times(imported) != 0 || jobs != 1 || none != 0 || never.events() != 0 {
		t.Errorf("acted on %v by %d jobs; where there was nothing to do, %d jobs", w.seen, jobs, none)
	}
}

// An event that is delivered again leaves no second job, also when the first one
// is done.
func TestAnEventLeavesOneJob(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	var woken atomic.Int32
	once := w.dueAt("timer", time.Time{})
	began := time.Now()
	once.Due = func(context.Context, reactions.Event) (time.Time, error) {
		woken.Add(1)
		return began, nil
	}
	r := h.run(once)
	id := h.happen("Sent", eventstore.OriginLive)
	h.until("it has acted", func() bool { return r.counted("handled", "timer", "job") == 1 })
	r.stop()
	h.rewind("timer", "Sent")
	second := h.run(once)
	h.until("it was woken again", func() bool { return second.counted("handled", "timer", "wake-up") == 1 })
	later := h.happen("Sent", eventstore.OriginLive)
	h.until("it has acted on another", func() bool { return w.times(later) == 1 })
	if jobs, _, _ := h.stored("timer"); jobs != 2 || w.times(id) != 1 || woken.Load() != 3 {
		t.Errorf("%d jobs, acted %d times, woken %d times", jobs, w.times(id), woken.Load())
	}
}

// A job that fails is tried again, and one that panics is kept with its stack.
func TestJobsThatFail(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var tried atomic.Int32
	failing := (&witness{}).dueAt("failing", time.Now())
	failing.Act = func(context.Context, reactions.Event) error {
		if tried.Add(1) == 1 {
			return errBroken
		}
		return nil
	}
	panicking := (&witness{}).dueAt("panicking", time.Now())
	panicking.Act = panickyReaction
	r := h.run(failing, panicking)
	h.happen("Sent", eventstore.OriginLive)
	h.until("the one is done in the end", func() bool { return r.counted("handled", "failing", "job") == 1 })
	h.until("the other is given up", func() bool { return r.counted("parked", "panicking", "job") == 1 })
	if failed := r.counted("failed", "failing", "job"); failed != 1 {
		t.Errorf("%d tries failed", failed)
	}
	h.until("it is kept", func() bool {
		_, state, trouble := h.stored("panicking")
		return state == "cancelled" && strings.Contains(trouble, "oh dear") && strings.Contains(trouble, "panickyReaction")
	})
}

// A job that stopping interrupts is run again, and that was no try of it.
func TestStoppingInterruptsJobs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	begun := make(chan uuid.UUID, 1)
	slow := w.dueAt("slow", time.Now())
	slow.Act = func(ctx context.Context, e reactions.Event) error {
		begun <- e.ID
		<-ctx.Done()
		return ctx.Err()
	}
	r := h.run(slow)
	id := h.happen("Sent", eventstore.OriginLive)
	<-begun
	if took := r.stop(); took >= 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	h.run(w.dueAt("slow", time.Now()))
	h.until("it is run again", func() bool { return w.times(id) == 1 })
	if _, _, trouble := h.stored("slow"); trouble != "" {
		t.Errorf("it counts as a try that failed: %s", trouble)
	}
}
