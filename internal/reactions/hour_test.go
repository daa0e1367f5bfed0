package reactions_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

// Events fail for more than an hour, and what happens meanwhile is dealt with, by
// another reaction and by the same one.
//
// The hour is that of the queue's schedule, not of a clock: what is between two
// tries is read from where it is stored, added up, and then skipped by moving the
// jobs forward, as waiting would. It shows that whenever something fails within
// that hour, be it in wake-ups or in jobs that hold all their places, what was
// appended later does not wait for it. It does not show how much a machine can do
// that is busy with other things for an hour.
func TestFailingForAnHourDelaysNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const bad, good = 20, 10 // more than there are places; in a round
	var failing sync.Map
	var gate atomic.Pointer[chan struct{}] // closed: tries by jobs wait in front of it
	var holding atomic.Int32
	var mine, others witness
	r := h.run(others.reaction("other", "Sent"), reactions.Reaction{
		Name: "one", Event: "Sent", Act: func(ctx context.Context, e reactions.Event) error {
			if _, fails := failing.Load(e.ID); !fails {
				mine.see(e)
				return nil
			}
			if opened := gate.Load(); opened != nil {
				holding.Add(1)
				defer holding.Add(-1)
				select {
				case <-*opened:
				case <-ctx.Done():
				}
			}
			return errBroken
		},
	})
	happenings := func() {
		t.Helper()
		ids := make([]uuid.UUID, good)
		for i := range ids {
			ids[i] = h.happen("Sent", eventstore.OriginLive)
		}
		h.until("what is behind the failing ones is dealt with", func() bool {
			for _, id := range ids {
				if mine.times(id) != 1 || others.times(id) != 1 {
					return false
				}
			}
			return true
		})
	}
	for range bad {
		id := uuid.New()
		failing.Store(id, true)
		h.happenAs(id, "Sent", eventstore.OriginLive)
	}
	happenings()
	h.until("each has a job", func() bool { jobs, _, _ := h.stored("one"); return jobs == bad })
	if failed := r.counted("failed", "one", "wake-up"); failed != 3*bad {
		t.Errorf("%d tries by wake-ups, which hold places that others wait for", failed)
	}

	var scheduled time.Duration // between tries, of those that were to wait for the shortest time
	before := map[int64]pause{}
	for scheduled < time.Hour {
		var now map[int64]pause
		h.until("each has failed once more", func() bool {
			now = h.pauses("one")
			for job, p := range now {
				if p.failures <= before[job].failures {
					return false
				}
			}
			return len(now) == bad
		})
		shortest := time.Duration(math.MaxInt64)
		for _, p := range now {
			shortest = min(shortest, p.lasts)
		}
		scheduled, before = scheduled+shortest, now

		opened := make(chan struct{})
		gate.Store(&opened)
		h.skipPauses("one")
		h.until("failing jobs hold all places", func() bool { return holding.Load() == 4 })
		happenings()
		gate.Store(nil)
		close(opened)
	}
	t.Logf("%d events failed over %s of schedule; meanwhile %d were dealt with", bad, scheduled, mine.events())
	if parked := r.counted("parked", "one", "job") + len(h.parked("one", "Sent")); parked != 0 {
		t.Errorf("%d were given up already", parked)
	}
	failing.Clear()
	h.until("they are dealt with in the end", func() bool {
		h.skipPauses("one")
		return r.counted("handled", "one", "job") == bad
	})
}

// pause is what a job that failed so often has before it until it is tried again.
type pause struct {
	failures int
	lasts    time.Duration
}

func (h *house) pauses(reaction string) map[int64]pause {
	h.t.Helper()
	rows, err := h.pool.Query(h.t.Context(), `
		SELECT id, cardinality(errors), scheduled_at - (errors[cardinality(errors)]->>'at')::timestamptz
		FROM jobs.river_job WHERE queue = $1 AND state IN ('retryable', 'available') AND scheduled_at > now()`, reaction)
	if err != nil {
		h.t.Fatal(err)
	}
	found := map[int64]pause{}
	var job int64
	var p pause
	if _, err := pgx.ForEachRow(rows, []any{&job, &p.failures, &p.lasts}, func() error {
		found[job] = p
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	return found
}

// skipPauses does what waiting would: it makes jobs due, and those available that
// are. (River looks for the latter every five seconds.)
func (h *house) skipPauses(reaction string) {
	h.t.Helper()
	_, err := h.pool.Exec(h.t.Context(), `
		UPDATE jobs.river_job SET scheduled_at = now(), state = 'available'
		WHERE queue = $1 AND state IN ('retryable', 'available')`, reaction)
	if err != nil {
		h.t.Fatal(err)
	}
}
