package reactions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

// dump keeps a copy of what Postgres knows of reactions, as a dump has it, and
// returns what brings it back.
func (h *house) dump() (restore func()) {
	h.t.Helper()
	h.exec(`CREATE SCHEMA kept`, `CREATE TABLE kept.jobs AS TABLE jobs.river_job`, `CREATE TABLE kept.bookmarks AS TABLE jobs.bookmarks`)
	return func() {
		h.t.Helper()
		h.exec(`DELETE FROM jobs.river_job`, `INSERT INTO jobs.river_job SELECT * FROM kept.jobs`,
			`DELETE FROM jobs.bookmarks`, `INSERT INTO jobs.bookmarks SELECT * FROM kept.bookmarks`)
	}
}

// noteRestore has the log say that it was restored from a backup of that time.
func (h *house) noteRestore(asOf time.Time) {
	h.t.Helper()
	data, err := json.Marshal(map[string]time.Time{"takenAt": asOf})
	if err != nil {
		h.t.Fatal(err)
	}
	note := eventstore.Proposed{ID: uuid.New(), Type: "$restored", Data: data}
	if _, err := h.client.Append(h.t.Context(), eventstore.RestoresStream, eventstore.Any(), note); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) exec(statements ...string) {
	h.t.Helper()
	for _, s := range statements {
		if _, err := h.pool.Exec(h.t.Context(), s); err != nil {
			h.t.Fatalf("%s: %v", s, err)
		}
	}
}

// Timers that were left after the dump that Postgres was restored from are left
// again, although the log has them for acknowledged; others are not touched.
func TestTimersOutliveAnOlderPostgres(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	due := time.Now().Add(time.Hour)
	var w, at witness
	timer, once := w.dueAt("timer", due), at.reaction("once", "Sent")
	first := h.run(timer, once)
	before := h.happen("Sent", eventstore.OriginLive)
	h.until("it has a job", func() bool { jobs, _, _ := h.stored("timer"); return jobs == 1 })
	restore := h.dump()
	after := h.happen("Sent", eventstore.OriginLive)
	imported := h.happen("Sent", eventstore.OriginImport)
	h.until("all are dealt with", func() bool {
		return first.counted("handled", "timer", "wake-up") == 3 && first.counted("handled", "once", "wake-up") == 3
	})
	first.stop()
	restore()
	if jobs, _, _ := h.stored("timer"); jobs != 1 {
		t.Fatalf("%d jobs in the dump", jobs)
	}

	var again witness
	due = time.Now() // for the timers that are found now
	second := h.run(again.dueAt("timer", due), at.reaction("once", "Sent"))
	h.until("the timer that was lost goes off", func() bool { return again.times(after) == 1 })
	later := h.happen("Sent", eventstore.OriginLive)
	h.until("the next one goes off, too", func() bool { return again.times(later) == 1 })
	second.stop()
	if jobs, _, _ := h.stored("timer"); jobs != 3 || again.times(before) != 0 || again.times(imported) != 0 || w.events() != 0 {
		t.Errorf("%d jobs; acted for %v", jobs, again.seen)
	}
	if at.times(before) != 1 || at.times(after) != 1 || at.times(later) != 1 {
		t.Errorf("what has no timer was woken for %v", at.seen)
	}
}

// What Postgres is known to have moves along, so that a start looks at little.
func TestTheBookmarkOfAReactionMoves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	h.run(w.reaction("one", "Sent"))
	place := func() (commit uint64) {
		err := h.pool.QueryRow(t.Context(), `SELECT commit_position FROM jobs.bookmarks WHERE follower = 'reactions.one'`).Scan(&commit)
		if err != nil {
			t.Fatal(err)
		}
		return commit
	}
	begun := place()
	for range 40 { // the log does not write down where a group is after each
		h.happen("Sent", eventstore.OriginLive)
	}
	h.until("it moves", func() bool { return place() > begun })
	head, err := h.client.Head(t.Context())
	if err != nil || place() > head.Commit {
		t.Errorf("it is at %d, the log ends at %v: %v", place(), head, err)
	}
}

// After the log was restored, what was done since the backup is done again, once,
// and what is about events that the log does not have is forgotten.
func TestJobsAreDoneAgainOnARestoredLog(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	r := h.run(w.dueAt("timer", time.Now()))
	id := h.happen("Sent", eventstore.OriginLive)
	old := h.happen("Sent", eventstore.OriginLive)
	h.until("both are done", func() bool { return r.counted("handled", "timer", "job") == 2 })
	h.until("that is stored", func() bool { _, states, _ := h.stored("timer"); return states == "completed completed" })
	r.stop()
	// One was done long before the backup; one is about an event that is lost.
	h.exec(fmt.Sprintf(`UPDATE jobs.river_job SET created_at = now() - interval '2 h', finalized_at = now() - interval '1 h'
		WHERE args->>'eventId' = '%s'`, old))
	lost := uuid.New()
	h.exec(fmt.Sprintf(`INSERT INTO jobs.river_job (kind, queue, state, args, max_attempts, scheduled_at)
		SELECT kind, queue, 'scheduled', replace(args::text, '%s', '%s')::jsonb, max_attempts, now() + interval '1 h'
		FROM jobs.river_job WHERE args->>'eventId' = '%[1]s'`, id, lost))

	var again witness
	h.noteRestore(time.Now().Add(-10 * time.Minute))
	second := h.run(again.dueAt("timer", time.Now()))
	h.until("it is done again", func() bool { return again.times(id) == 1 })
	h.until("that is stored", func() bool { _, states, _ := h.stored("timer"); return states == "completed completed" })
	second.stop()
	if again.events() != 1 {
		t.Errorf("acted for %v, where %s was done before the backup, and %s is lost", again.seen, old, lost)
	}
	third := h.run(again.dueAt("timer", time.Now()))
	later := h.happen("Sent", eventstore.OriginLive)
	h.until("another one is done", func() bool { return again.times(later) == 1 })
	third.stop()
	if again.times(id) != 1 {
		t.Errorf("done %d times again", again.times(id))
	}
}

// A reaction without a time leaves jobs only for what fails. Those that an older
// Postgres has lost are found again where somebody says that it was restored.
func TestWhatFailedOutlivesAnOlderPostgres(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var w witness
	bad := w.reaction("one", "Sent")
	bad.Act = func(context.Context, reactions.Event) error { return errBroken }
	first := h.run(bad)
	restore := h.dump()
	id := h.happen("Sent", eventstore.OriginLive)
	h.until("it has a job", func() bool { jobs, _, _ := h.stored("one"); return jobs == 1 })
	first.stop()
	restore()
	h.exec(`DELETE FROM jobs.bookmarks WHERE follower = 'reactions'`) // as docs/operations.md has it
	h.run(w.reaction("one", "Sent"))
	h.until("it is tried again", func() bool { return w.times(id) == 1 })
}
