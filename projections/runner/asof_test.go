package runner

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"portal.example/eventstore"
)

// learn appends a reading that was made long before it is recorded.
func (w *world) learn(business, stream string, occurred time.Time, reading Read) eventstore.Position {
	w.t.Helper()
	proposed := must(w.codec.Encode(w.ctx, stream, eventstore.Metadata{
		CommandID: uuid.New(), Business: business, Operation: "meters.read", Origin: eventstore.OriginImport,
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, RecordedAt: time.Now(), OccurredAt: occurred,
	}, reading))(w.t)
	return must(w.client.Append(w.ctx, stream, eventstore.Any(), proposed...))(w.t).Position
}

func (w *world) sum(schema string) int {
	w.t.Helper()
	return query[int](w, `SELECT coalesce(sum(sum), 0) FROM `+ident(schema)+`.m_sum`)
}

// By when it was recorded, what was learnt later does not count; by when it
// happened it does, also when it is learnt after the question.
func TestAsOfAMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := func(n int) time.Time { return time.Date(2020, 1, n, 0, 0, 0, 0, time.UTC) }
	w.append("acme", "acme-0", Read{1})
	w.append("other", "other-0", Read{100})
	w.learn("acme", "acme-1", day(10), Read{10})
	first := w.append("acme", "acme-0", Read{2})
	var recorded time.Time
	for e, err := range w.client.ReadAll(w.ctx, eventstore.Start()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Position == first {
			recorded = e.Created
		}
	}
	w.learn("acme", "acme-1", day(20), Read{20})
	last := w.append("acme", "acme-0", Read{4})
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", last)

	asOf := func(s Scope) Status {
		t.Helper()
		s.Business = "acme"
		build := must(r.AsOf(w.ctx, "m", s))(t)
		return w.look(r, build.Build, "filled", ready)
	}
	then := asOf(Scope{Until: recorded})
	if got := w.sum(then.Schema); got != 11 || !then.Temporary || then.Live || !then.AsOf.Equal(recorded.Truncate(time.Microsecond)) {
		t.Errorf("known before the third reading: %d in %+v", got, then)
	}
	if again := asOf(Scope{Until: recorded}); again.Build != then.Build {
		t.Errorf("the same moment has build %d, then %d", then.Build, again.Build)
	}
	var asked errgroup.Group
	for range 4 { // at once, a moment that is new
		asked.Go(func() error {
			_, err := r.AsOf(w.ctx, "m", Scope{Business: "acme", Until: day(15), Occurred: true})
			return err
		})
	}
	if err := asked.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := query[int](w, `SELECT count(*) FROM runner.builds WHERE used_at IS NOT NULL`); n != 2 {
		t.Errorf("%d builds of two moments", n)
	}
	known := asOf(Scope{Until: day(15), Occurred: true})
	if got := w.sum(known.Schema); got != 10 {
		t.Errorf("by what is known today it was %d", got)
	}
	w.learn("acme", "acme-2", day(14), Read{7})
	w.until("what is learnt about the past is added to it",
		`SELECT sum(sum) = 17 FROM `+ident(known.Schema)+`.m_sum`)
	if got := w.sum(asOf(Scope{Until: day(15)}).Schema); got != 0 {
		t.Errorf("before anything was recorded it was %d", got)
	}

	// One moment too many: there is no room while the others are in use, then the
	// longest unused goes.
	for n := 3; n < mostOfBusiness; n++ {
		asOf(Scope{Until: day(n)})
	}
	if _, err := r.AsOf(w.ctx, "m", Scope{Business: "acme", Until: day(16)}); !errors.Is(err, ErrCrowded) {
		t.Errorf("one moment too many: %v", err)
	}
	if _, err := w.pool.Exec(w.ctx, `UPDATE runner.builds SET used_at = now() - interval '5 minutes' WHERE id = $1`, known.Build); err != nil {
		t.Fatal(err)
	}
	asOf(Scope{Until: day(16)})
	w.until("its tables are dropped", `SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, known.Schema)
	if _, err := r.Look(w.ctx, known.Build); !errors.Is(err, ErrNoReplay) {
		t.Errorf("what went: %v", err)
	}

	// Nobody has asked for an hour.
	if _, err := w.pool.Exec(w.ctx, `UPDATE runner.builds SET used_at = now() - interval '61 minutes' WHERE used_at IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
	w.until("all are dropped", `SELECT count(*) = 1 FROM pg_namespace WHERE nspname LIKE 'm\_v1%'`)
	if _, err := r.AsOf(w.ctx, "m", Scope{Until: day(1)}); err == nil {
		t.Error("a moment of no business was taken")
	}
}

func TestWhoGoes(t *testing.T) {
	t.Parallel()
	builds := func(businesses string) (uses []use) {
		for i, b := range businesses {
			uses = append(uses, use{int64(i + 1), string(b), time.Duration(i+1) * 2 * time.Minute})
		}
		return uses
	}
	fresh := builds("abcdefghijkl")
	for i := range fresh {
		fresh[i].Idle = time.Second
	}
	tests := map[string]struct {
		uses []use
		of   string
		want int64
		err  error
	}{
		"none yet":                  {nil, "a", 0, nil},
		"room":                      {builds("abcdefghijk"), "l", 0, nil},
		"full":                      {builds("abcdefghijkl"), "a", 12, nil},
		"a share is used up":        {builds("aaaaaabb"), "a", 6, nil},
		"another's share":           {builds("aaaaaabb"), "b", 0, nil},
		"full, and all of them new": {fresh, "g", 0, ErrCrowded},
	}
	for name, test := range tests {
		if got, err := whoGoes(test.uses, test.of); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %d goes, %v", name, got, err)
		}
	}
}
