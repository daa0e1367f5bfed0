package runner

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// beastly is a projection that cannot apply some readings.
func beastly(version int, values ...int64) *meters {
	return &meters{name: "m", version: version, poison: func(e Read) error {
		for _, v := range values {
			if e.Value == v {
				return errors.New("beastly")
			}
		}
		return nil
	}}
}

// A skipped event is left out, and what follows it is applied in order; the next
// build of the version leaves it out as well, and the next version tries it.
func TestSkip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.append("acme", "meter-1", Read{1}, Read{666}, Read{2}, Read{667}, Read{4})
	last := w.append("acme", "meter-2", Read{666})
	r := w.runner(beastly(1, 666, 667))
	stop := w.run(r)
	w.wait(r, "m", last)
	if got := sums(w); got != "meter-1=1" {
		t.Fatalf("before: %s", got)
	}
	first := must(ListQuarantined(w.ctx, w.pool, "m", 10))(t)[0]
	if _, err := SkipEvent(w.ctx, w.pool, "m", 0, "meter-1", uuid.New(), "a test", "sam"); !errors.Is(err, ErrNotQuarantined) {
		t.Errorf("skipped an event that it does not stand at: %v", err)
	}
	s := must(SkipEvent(w.ctx, w.pool, "m", 0, "meter-1", first.EventID, "entered twice", "sam"))(t)
	if s.EventID != first.EventID || s.Revision != 1 || s.Version != 1 || s.Business != "acme" || s.Error != "beastly" ||
		s.Reason != "entered twice" || s.By != "sam" || s.At.IsZero() {
		t.Errorf("recorded %+v", s)
	}

	// It goes on to the next one that cannot be applied, which stays on its own.
	w.until("the second poisoned event", `SELECT event_revision = 3 AND held = 2 FROM runner.quarantine WHERE stream = 'meter-1'`)
	if got := sums(w); got != "meter-1=3" {
		t.Errorf("after the first skip: %s", got)
	}
	must(SkipEvent(w.ctx, w.pool, "m", 1, "meter-1", uuid.Nil, "entered twice too", "sam"))(t)
	w.until("out of quarantine", `SELECT count(*) = 0 FROM runner.quarantine WHERE stream = 'meter-1'`)
	w.wait(r, "m", w.append("acme", "meter-1", Read{8}))
	if got := sums(w); got != "meter-1=15" {
		t.Errorf("after both skips: %s", got)
	}
	if list := must(ListQuarantined(w.ctx, w.pool, "m", 10))(t); len(list) != 1 || list[0].Stream != "meter-2" {
		t.Errorf("in quarantine: %+v", list)
	}

	// Another build of the version, by a program that could apply the events, says
	// the same as the one that it replaces.
	stop()
	r = w.runner(beastly(1))
	stop = w.run(r)
	w.until("meter-2 is applied by the better program", `SELECT count(*) = 0 FROM runner.quarantine`)
	if err := r.Rebuild(w.ctx, "m"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("meter-1=15 meter-2=666", sums(w)); d != "" {
		t.Error(d)
	}
	stop()

	// The next version is given all of them.
	r = w.runner(beastly(2))
	w.run(r)
	w.until("version 2 is live", `SELECT count(*) = 1 FROM runner.builds WHERE state = 'live' AND version = 2`)
	if d := cmp.Diff("meter-1=1348 meter-2=666", sums(w)); d != "" {
		t.Error(d)
	}

	if list := must(ListSkips(w.ctx, w.pool, "m", 10))(t); len(list) != 2 || list[0] != s || list[1].Reason != "entered twice too" {
		t.Errorf("skips: %+v", list)
	}
	if list := must(ListSkips(w.ctx, w.pool, "other", 10))(t); len(list) != 0 {
		t.Errorf("skips of another projection: %+v", list)
	}
}

func TestSkipRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(beastly(1, 666))
	stop := w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{666}))
	for _, reason := range []string{"", strings.Repeat("x", MaxReason+1)} {
		if _, err := SkipEvent(w.ctx, w.pool, "m", 0, "meter-1", uuid.Nil, reason, "sam"); err == nil {
			t.Errorf("took a reason of %d characters", len(reason))
		}
	}
	for _, where := range []struct {
		projection string
		version    int
		stream     string
	}{{"m", 0, "meter-2"}, {"n", 0, "meter-1"}, {"m", 2, "meter-1"}} {
		if _, err := SkipEvent(w.ctx, w.pool, where.projection, where.version, where.stream, uuid.Nil, "r", "sam"); !errors.Is(err, ErrNotQuarantined) {
			t.Errorf("%+v: %v", where, err)
		}
	}
	stop() // nobody leads: the skip waits
	must(SkipEvent(w.ctx, w.pool, "m", 0, "meter-1", uuid.Nil, "r", "sam"))(t)
	if _, err := SkipEvent(w.ctx, w.pool, "m", 0, "meter-1", uuid.Nil, "r", "sam"); !errors.Is(err, ErrSkipped) {
		t.Errorf("skipped twice: %v", err)
	}
	for _, change := range []string{
		`UPDATE runner.skips SET reason = 'another'`, `DELETE FROM runner.skips`, `TRUNCATE runner.skips`,
	} {
		if _, err := w.pool.Exec(w.ctx, change); err == nil || !strings.Contains(err.Error(), "never changed") {
			t.Errorf("%s: %v", change, err)
		}
	}
	w.run(w.runner(beastly(1, 666)))
	w.until("out of quarantine", `SELECT count(*) = 0 FROM runner.quarantine`)
}

// The stack of a panic is kept beside what it says.
func TestQuarantineKeepsTheStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m", poison: func(Read) error { panic("beastly") }})
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	q := must(ListQuarantined(w.ctx, w.pool, "m", 10))(t)[0]
	if q.Error != "panic: beastly" || !strings.Contains(q.Stack, "TestQuarantineKeepsTheStack") {
		t.Errorf("error %q, stack %q", q.Error, q.Stack)
	}
}
