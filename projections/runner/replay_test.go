package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/internal/wait"
)

// RowsComeFromOneStream implements StreamRows.
func (m *meters) RowsComeFromOneStream() {}

// history appends n readings to the meters of a business, and returns the
// position of the last.
func (w *world) history(business string, n int) (last eventstore.Position) {
	w.t.Helper()
	for i := range n {
		last = w.append(business, fmt.Sprintf("%s-%d", business, i%3), Read{1}, Read{2})
	}
	return last
}

// look waits until a build is as wanted.
func (w *world) look(r *Runner, build int64, what string, wanted func(Status) bool) Status {
	w.t.Helper()
	for {
		s, err := r.Look(w.ctx, build)
		if err == nil && wanted(s) {
			return s
		}
		if !wait.For(w.ctx, 10*time.Millisecond) {
			w.t.Fatalf("%s: never; last %+v, %v", what, s, err)
		}
	}
}

func ready(s Status) bool { return s.Ready }

// rows is the content of a build's tables.
func (w *world) rows(schema string) string {
	w.t.Helper()
	return query[string](w, fmt.Sprintf(`SELECT coalesce((SELECT string_agg(r::text, ';' ORDER BY r) FROM %[1]s.m_reading r), '')
		|| '|' || coalesce((SELECT string_agg(s::text, ';' ORDER BY s) FROM %[1]s.m_sum s), '')`, ident(schema)))
}

// A replay waits beside the live tables until somebody wants it, and can be
// stopped, slowed down and let go meanwhile.
func TestAReplayObeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := w.history("acme", 100)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", last)
	live := query[string](w, `SELECT schema FROM runner.builds WHERE state = 'live'`)

	build := must(r.Replay(w.ctx, "m", Options{Throttle: 40}))(t)
	if _, err := r.Replay(w.ctx, "m", Options{}); !errors.Is(err, ErrUnderWay) {
		t.Errorf("a second replay: %v", err)
	}
	begun := time.Now()
	slow := w.look(r, build, "under way", func(s Status) bool { return s.Progress.Events >= 40 && s.Progress.Rate > 0 })
	if most := 40*time.Since(begun).Seconds() + 20; float64(slow.Progress.Events) > most {
		t.Errorf("%d events after %s, throttled to 40 a second", slow.Progress.Events, time.Since(begun))
	}
	if slow.Live || slow.Throttle != 40 || slow.Progress.Fraction <= 0 || slow.Progress.Fraction >= 1 || slow.Progress.Remaining <= 0 {
		t.Errorf("under way: %+v", slow)
	}

	if err := Pause(w.ctx, w.pool, build); err != nil {
		t.Fatal(err)
	}
	w.until("paused, and its rate known to be 0", `SELECT rate = 0 AND wanted = 'pause' FROM runner.builds WHERE id = $1`, build)
	paused := w.look(r, build, "paused", func(s Status) bool { return s.Paused })
	if err := Throttle(w.ctx, w.pool, build, 0); err != nil {
		t.Fatal(err)
	}
	w.wait(r, "m", w.append("acme", "acme-0", Read{5})) // the live one goes on
	if s := must(r.Look(w.ctx, build))(t); s.Progress.Events != paused.Progress.Events || !s.Led || s.Ready || s.Progress.Remaining >= 0 {
		t.Errorf("paused: %+v, then %+v", paused, s)
	}
	if err := Resume(w.ctx, w.pool, build); err != nil {
		t.Fatal(err)
	}
	s := w.look(r, build, "ready", ready)
	if s.Live || s.Progress.Fraction != 1 || s.Progress.Remaining != 0 || s.Progress.Events != 201 {
		t.Errorf("ready: %+v", s)
	}
	if got, want := w.rows(s.Schema), w.rows(live); got != want {
		t.Errorf("replayed:\n%s\nlive:\n%s", got, want)
	}

	if err := Cancel(w.ctx, w.pool, build); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Look(w.ctx, build); !errors.Is(err, ErrNoReplay) {
		t.Errorf("a cancelled replay: %v", err)
	}
	if n := query[int](w, `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'm\_v1%'`); n != 1 {
		t.Errorf("%d schemas after the replay was cancelled", n)
	}
	if err := Pause(w.ctx, w.pool, build); !errors.Is(err, ErrNoReplay) {
		t.Errorf("pausing what was cancelled: %v", err)
	}
}

// A replay goes on where it was, whoever leads it then.
func TestAReplayOutlivesItsLeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := w.history("acme", 100)
	r := w.runner(&meters{name: "m"})
	stop := w.run(r)
	w.wait(r, "m", last)
	build := must(r.Replay(w.ctx, "m", Options{Throttle: 100}))(t)
	w.look(r, build, "under way", func(s Status) bool { return s.Progress.Events >= 25 })
	stop()

	before := w.look(r, build, "without a leader", func(s Status) bool { return !s.Led })
	if before.Ready || before.Progress.Rate != 0 || before.Progress.Events == 0 {
		t.Errorf("without a leader: %+v", before)
	}
	if err := Throttle(w.ctx, w.pool, build, 0); err != nil {
		t.Fatal(err)
	}
	again := w.runner(&meters{name: "m"})
	w.run(again)
	s := w.look(again, build, "ready", ready)
	if s.Progress.Events != 200 {
		t.Errorf("%d events in all", s.Progress.Events)
	}
	if got, want := w.rows(s.Schema), w.rows("m_v1"); got != want {
		t.Errorf("replayed:\n%s\nlive:\n%s", got, want)
	}
}

// A part replay mends the rows of one business under load, and no others.
func TestAPartReplayMendsOneBusiness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history("bolt", 20)
	w.history("cora", 20)
	poison := w.append("bolt", "bolt-ill", Read{1_000_000}, Read{3})
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", poison)
	stopLoad := w.load() // of a third business
	w.exec(`UPDATE m_v1.m_sum SET sum = sum + 1000`)
	w.exec(`DELETE FROM m_v1.m_reading WHERE meter = 'bolt-0'`)
	w.exec(`DELETE FROM runner.quarantine`) // as if its stream had gone on

	for _, wrong := range []Options{
		{CutOver: true, Scope: Scope{Since: time.Now()}},
		{CutOver: true, Temporary: true},
		{Throttle: -1},
		{Scope: Scope{Streams: []string{""}}},
		{Scope: Scope{Since: time.Now(), Until: time.Now().Add(-time.Hour)}},
	} {
		if _, err := r.Replay(w.ctx, "m", wrong); err == nil {
			t.Errorf("%+v was begun", wrong)
		}
	}
	build := must(r.Replay(w.ctx, "m", Options{Scope: Scope{Business: "bolt"}}))(t)
	s := w.look(r, build, "ready", ready)
	if n := query[int](w, fmt.Sprintf(`SELECT count(*) FROM %s.m_reading WHERE business_id <> 'bolt'`, ident(s.Schema))); n > 0 {
		t.Errorf("%d rows of others in the part", n)
	}
	if id := must(r.CutOver(w.ctx, "m"))(t); id != build {
		t.Errorf("cutting over build %d, want %d", id, build)
	}
	w.look(r, build, "cut over", func(s Status) bool { return s.Ended })
	w.append("bolt", "bolt-0", Read{4})
	last := w.append("bolt", "bolt-ill", Read{5}) // held back again
	_, end := stopLoad()
	w.wait(r, "m", last)
	w.wait(r, "m", end)

	if got := query[string](w, `SELECT string_agg(meter || '=' || sum, ' ' ORDER BY meter) FROM read.m_sum WHERE business_id <> 'acme'`); got !=
		"bolt-0=25 bolt-1=21 bolt-2=18 cora-0=1021 cora-1=1021 cora-2=1018" {
		t.Errorf("sums: %s", got)
	}
	if got := query[int](w, `SELECT count(*) FROM read.m_reading WHERE meter = 'bolt-0'`); got != 15 {
		t.Errorf("%d readings of the meter that had lost its own", got)
	}
	if got := query[string](w, `SELECT string_agg(stream || ' ' || held, ',') FROM runner.quarantine`); got != "bolt-ill 3" {
		t.Errorf("quarantine: %s", got)
	}
	if n := query[int](w, `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'm\_v1%'`); n != 1 {
		t.Errorf("%d schemas", n)
	}
}

func TestPartsOfStreamsAndOfTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history("acme", 6)
	w.append("acme", "acme-01", Read{9}) // a name that begins like the one below
	first := must(w.tryAppend("acme", "acme-0", eventstore.Any(), Read{100}))(t)
	var created time.Time
	for e, err := range w.client.ReadStream(w.ctx, "acme-0", 0) {
		if err != nil {
			t.Fatal(err)
		}
		created = e.Created
	}
	last := w.append("acme", "acme-1", Read{7})
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", last)
	if first.Compare(last) >= 0 {
		t.Fatal("the log goes backwards")
	}

	span := must(r.Replay(w.ctx, "m", Options{Scope: Scope{Until: created}, Temporary: true}))(t)
	s := w.look(r, span, "complete", ready)
	if got := query[string](w, fmt.Sprintf(`SELECT string_agg(meter || '=' || sum, ' ' ORDER BY meter) FROM %s.m_sum`, ident(s.Schema))); got !=
		"acme-0=6 acme-01=9 acme-1=6 acme-2=6" {
		t.Errorf("until %s: %s", created, got)
	}
	if !s.AsOf.Equal(created.Truncate(time.Microsecond)) && !s.AsOf.Equal(created) || s.CaughtUp || s.Progress.Fraction != 1 {
		t.Errorf("complete: %+v", s)
	}
	if _, err := r.CutOver(w.ctx, "m"); !errors.Is(err, ErrNoReplay) {
		t.Errorf("cutting over temporary tables: %v", err)
	}

	w.exec(`UPDATE m_v1.m_sum SET sum = 0`)
	build := must(r.Replay(w.ctx, "m", Options{Scope: Scope{Streams: []string{"acme-0"}}, CutOver: true}))(t)
	w.look(r, build, "cut over", func(s Status) bool { return s.Ended })
	if got := query[string](w, `SELECT string_agg(meter || '=' || sum, ' ' ORDER BY meter) FROM read.m_sum`); got !=
		"acme-0=106 acme-01=0 acme-1=0 acme-2=0" {
		t.Errorf("after a part replay of a stream: %s", got)
	}

	// Rows of a stream of another business are not the part's to take away.
	wrong := must(r.Replay(w.ctx, "m", Options{Scope: Scope{Business: "bolt", Streams: []string{"acme-0"}}, CutOver: true}))(t)
	w.look(r, wrong, "cut over", func(s Status) bool { return s.Ended })
	if got := query[string](w, `SELECT string_agg(meter || '=' || sum, ' ' ORDER BY meter) FROM read.m_sum`); got !=
		"acme-0=106 acme-01=0 acme-1=0 acme-2=0" {
		t.Errorf("after a part replay of another business's stream: %s", got)
	}

	since := must(r.Replay(w.ctx, "m", Options{Scope: Scope{Since: created}}))(t)
	w.look(r, since, "ready", ready)
	if _, err := r.CutOver(w.ctx, "m"); !errors.Is(err, ErrNoCutOver) {
		t.Errorf("cutting over a span of time: %v", err)
	}
	if _, err := w.runner(struct{ Projection }{&meters{name: "m"}}).Replay(w.ctx, "m",
		Options{Scope: Scope{Streams: []string{"acme-0"}}, CutOver: true}); !errors.Is(err, ErrNoCutOver) {
		t.Errorf("streams of a projection whose rows may come from several: %v", err)
	}
	if err := Cancel(w.ctx, w.pool, span); err != nil {
		t.Error(err)
	}
}

// A replay that cannot go on says why, and goes on when it can.
func TestAReplayThatIsInterruptedSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	build := must(r.Replay(w.ctx, "m", Options{}))(t)
	s := w.look(r, build, "ready", ready)
	table := ident(s.Schema) + ".m_sum"
	w.exec(`ALTER TABLE ` + table + ` RENAME TO elsewhere`)
	w.append("acme", "meter-1", Read{2})
	w.look(r, build, "interrupted", func(s Status) bool { return strings.Contains(s.Note, "m_sum") })
	w.exec(`ALTER TABLE ` + ident(s.Schema) + `.elsewhere RENAME TO m_sum`)
	w.look(r, build, "going on", func(s Status) bool { return s.Note == "" && s.Ready && s.Progress.Events == 2 })
}

// A replay can be cancelled in the middle of a transaction that takes long.
func TestAReplayIsCancelledAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := &meters{name: "m"}
	r := w.runner(slow)
	stop := w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	stop()
	slow.before = func(ctx context.Context, tx pgx.Tx, _ []eventstore.Decoded) error {
		_, err := tx.Exec(ctx, `SELECT pg_sleep(60)`)
		return err
	}
	w.run(r)
	build := must(r.Replay(w.ctx, "m", Options{}))(t)
	w.until("in a transaction", `SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE 'portal m\_v1\_%' AND query LIKE '%pg_sleep%' AND state = 'active')`)
	began := time.Now()
	if err := Cancel(w.ctx, w.pool, build); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("cancelling took %s", took)
	}
	if n := query[int](w, `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'm\_v1%'`); n != 1 {
		t.Errorf("%d schemas", n)
	}
}
