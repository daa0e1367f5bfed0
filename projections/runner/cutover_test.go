package runner

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

// watch reads all views of the projection again and again, at one moment of the
// database each, until the test's end, and fails where they do not go together
// or something that was there is not there any more.
func (w *world) watch() (stop func() int) {
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan int, 1)
	go func() {
		var looks, most int
		var furthest int64
		defer func() { done <- looks }()
		for ctx.Err() == nil {
			var sum, readings int
			var total, position int64
			look := &pgx.Batch{}
			look.Queue(`SELECT commit_position FROM freshness WHERE projection = 'm'`).QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
			look.Queue(`SELECT count(*), coalesce(sum(value), 0) FROM m_reading`).QueryRow(func(row pgx.Row) error { return row.Scan(&readings, &total) })
			look.Queue(`SELECT coalesce(sum(last + 1), 0), coalesce(sum(sum), 0) - $1 FROM m_sum`, 0).QueryRow(func(row pgx.Row) error { return row.Scan(&sum, new(int64)) })
			if err := w.readers.Ask(ctx, "acme", look); err != nil {
				if ctx.Err() == nil {
					w.t.Errorf("a reader: %v", err)
				}
				return
			}
			if sum != readings || readings < most || position < furthest {
				w.t.Errorf("look %d: %d readings, %d by the sums, at %d; %d at %d before", looks, readings, sum, position, most, furthest)
				return
			}
			looks, most, furthest = looks+1, readings, position
		}
	}()
	return func() int {
		cancel()
		return <-done
	}
}

// Readers see either of the tables as a whole, and never less than before, while
// tables are cut over and rolled back under load.
func TestCutOverAndRollBackUnderTheEyesOfAReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	stopLoad := w.load()
	w.until("under way", `SELECT sum(sum) > 20 FROM read.m_sum`)
	stopWatching := w.watch()
	first := query[int64](w, `SELECT id FROM runner.builds`)
	if _, err := r.RollBack(w.ctx, "m"); !errors.Is(err, ErrNothingBefore) {
		t.Errorf("rolling back the first build: %v", err)
	}
	isLive := func(s Status) bool { return s.Live }

	build := must(r.Replay(w.ctx, "m", Options{}))(t)
	w.look(r, build, "ready", ready)
	must(r.CutOver(w.ctx, "m"))(t)
	w.look(r, build, "live", isLive)
	for range 3 {
		if id := must(r.RollBack(w.ctx, "m"))(t); id != first {
			t.Errorf("rolling back to %d, want %d", id, first)
		}
		w.look(r, first, "rolled back", isLive)
		if id := must(r.CutOver(w.ctx, "m"))(t); id != build {
			t.Errorf("brought back %d, want %d", id, build)
		}
		w.look(r, build, "live again", isLive)
	}
	if _, err := r.CutOver(w.ctx, "m"); !errors.Is(err, ErrNoReplay) {
		t.Errorf("cutting over nothing: %v", err)
	}
	if looks := stopWatching(); looks < 20 {
		t.Errorf("the reader looked %d times", looks)
	}
	count, last := stopLoad()
	w.wait(r, "m", last)
	w.checkSum(count)

	if n := must(Drop(w.ctx, w.pool, "m"))(t); n != 1 {
		t.Errorf("%d builds dropped", n)
	}
	if _, err := r.RollBack(w.ctx, "m"); !errors.Is(err, ErrNothingBefore) {
		t.Errorf("rolling back to what was dropped: %v", err)
	}
}

// A person may want to look at a new version before it goes live, and go back
// from it, though its program runs on.
func TestAVersionOnRequestAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.runner(&meters{name: "m", version: 1})
	stop := w.run(one)
	w.wait(one, "m", w.append("acme", "meter-1", Read{1}, Read{2}))
	stop()

	two := w.runner(&meters{name: "m", version: 2})
	two.cfg.CutOverOnRequest = true
	stop = w.run(two)
	w.until("version 2 is under way", `SELECT count(*) = 2 FROM runner.builds`)
	build := must(UnderWay(w.ctx, w.pool, "m"))(t)
	w.look(two, build, "ready", ready)
	w.wait(two, "m", eventstore.Start())
	if version := query[int](w, `SELECT version FROM read.freshness`); version != 1 {
		t.Fatalf("version %d went live by itself", version)
	}
	must(two.CutOver(w.ctx, "m"))(t)
	w.until("version 2 is live", `SELECT version = 2 FROM read.freshness`)
	at := w.append("acme", "meter-1", Read{4})
	w.wait(two, "m", at)

	if _, err := two.RollBack(w.ctx, "m"); !errors.Is(err, ErrOtherVersion) {
		t.Errorf("rolling back to a version that the program has not: %v", err)
	}
	asOf := must(two.RollBackStale(w.ctx, "m"))(t)
	if got := query[bool](w, `SELECT version = 1 AND as_of = $1 FROM read.freshness`, asOf); !got || sums(w) != "meter-1=3" {
		t.Errorf("rolled back: %v, %s", got, sums(w))
	}
	stop()

	// Not by itself, neither with a program that would cut over by itself.
	auto := w.runner(&meters{name: "m", version: 2})
	stop = w.run(auto)
	w.until("the runner is up", `SELECT true`)
	w.wait(auto, "m", eventstore.Start())
	short, cancel := context.WithTimeout(w.ctx, 300*time.Millisecond)
	if err := auto.WaitFor(short, "m", at); err == nil {
		t.Error("a reader is told that older tables have its event")
	}
	cancel()
	if got := query[string](w, `SELECT string_agg(version || ' ' || state, ', ' ORDER BY id) FROM runner.builds`); got != "1 live, 2 retired" {
		t.Errorf("builds: %s", got)
	}
	must(auto.CutOver(w.ctx, "m"))(t)
	w.wait(auto, "m", w.append("acme", "meter-1", Read{8}))
	if got := sums(w); got != "meter-1=15" {
		t.Errorf("brought back: %s", got)
	}
	stop()

	// The program of the version before can bring its tables up to date.
	before := w.runner(&meters{name: "m", version: 1})
	w.run(before)
	old := must(before.RollBack(w.ctx, "m"))(t)
	w.look(before, old, "rolled back", func(s Status) bool { return s.Live })
	if got := sums(w); got != "meter-1=15" {
		t.Errorf("rolled back by its program: %s", got)
	}
}

// keeping is a version that keeps the code of the one before.
type keeping struct {
	*meters
	old *meters
}

func (k keeping) Before() Projection { return k.old }

// Where a version keeps the one before, the old tables stay up with the log while
// the new ones are filled, and readers can be led back and forth without ever
// seeing less than before.
func TestAVersionThatKeepsTheOneBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.runner(&meters{name: "m", version: 1})
	stop := w.run(one)
	w.wait(one, "m", w.append("acme", "meter-1", Read{1}, Read{2}))
	stop()

	two := w.runner(keeping{&meters{name: "m", version: 2}, &meters{name: "m", version: 1}})
	two.cfg.CutOverOnRequest = true
	w.run(two)
	w.until("version 2 is under way", `SELECT count(*) = 2 FROM runner.builds`)
	w.wait(two, "m", w.append("acme", "meter-1", Read{4}))
	if got := query[string](w, `SELECT version || ' ' || (SELECT sum(sum) FROM read.m_sum) FROM read.freshness`); got != "1 7" {
		t.Errorf("while version 2 is filled: %s", got)
	}
	stopLoad := w.load()
	stopWatching := w.watch()
	inVersion := func(version int) func(Status) bool {
		return func(s Status) bool { return s.Live && s.Version == version }
	}
	for range 2 {
		newer := must(two.CutOver(w.ctx, "m"))(t)
		w.look(two, newer, "version 2 is live", inVersion(2))
		older := must(two.RollBack(w.ctx, "m"))(t)
		w.look(two, older, "version 1 is live", inVersion(1))
	}
	if looks := stopWatching(); looks == 0 {
		t.Error("nobody looked")
	}
	_, last := stopLoad()
	w.wait(two, "m", last)
	if got := query[string](w, `SELECT string_agg(version || ' ' || state, ', ' ORDER BY id) FROM runner.builds`); got != "1 live, 2 retired" {
		t.Errorf("builds: %s", got)
	}
	if InVersion(two.cfg.Projections[0], 1).Version() != 1 || InVersion(two.cfg.Projections[0], 3) != nil {
		t.Error("versions are not found by their numbers")
	}
}

// A reader who began before the new tables were filled cannot see their rows, and
// so must not be led to them.
func TestACutOverWaitsForLooksThatBeganBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}, Read{2}))
	look := must(w.readers.Begin(w.ctx, "acme"))(t)
	defer look.Rollback(w.ctx)
	var position int64
	if err := look.QueryRow(w.ctx, `SELECT commit_position FROM freshness`).Scan(&position); err != nil {
		t.Fatal(err)
	}

	build := must(r.Replay(w.ctx, "m", Options{CutOver: true}))(t)
	w.look(r, build, "waiting for the reader", func(s Status) bool { return s.Live || s.Note == errLooks.Error() })
	var sum int
	if err := look.QueryRow(w.ctx, `SELECT coalesce(sum(sum), 0) FROM m_sum`).Scan(&sum); err != nil {
		t.Fatal(err)
	}
	if sum != 3 {
		t.Errorf("the reader sees %d of 3", sum)
	}
	w.wait(r, "m", w.append("acme", "meter-1", Read{4})) // nobody else is held up
	if err := look.Rollback(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.look(r, build, "live", func(s Status) bool { return s.Live })
	if got := sums(w); got != "meter-1=7" {
		t.Errorf("cut over: %s", got)
	}
}
