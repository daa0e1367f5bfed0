package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// sums is what the read model says of each meter.
func sums(w *world) string {
	w.t.Helper()
	return query[string](w, `SELECT coalesce(string_agg(meter || '=' || sum, ' ' ORDER BY meter), '') FROM read.m_sum`)
}

func TestAPoisonedStreamStopsAloneAndInOrder(t *testing.T) {
	t.Parallel()
	var cured atomic.Bool
	for name, m := range map[string]*meters{
		"refused by the projection": {name: "m", poison: func(e Read) error {
			if e.Value == 666 && !cured.Load() {
				return errors.New("beastly")
			}
			return nil
		}},
		"panic of the projection": {name: "m", poison: func(e Read) error {
			if e.Value == 666 && !cured.Load() {
				panic("beastly")
			}
			return nil
		}},
		"refused by Postgres": {name: "m", before: func(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
			for _, d := range batch {
				if e, ok := d.Event.(Read); ok && e.Value == 666 && !cured.Load() {
					_, err := tx.Exec(ctx, `SELECT 'beastly'::int`)
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cured.Store(false)
			w := newWorld(t)
			// All of it is one batch, and more follows live.
			w.append("acme", "meter-1", Read{1}, Read{2})
			w.append("acme", "meter-2", Read{1}, Read{666}, Read{2})
			w.append("acme", "meter-1", Read{3})
			last := w.append("acme", "meter-2", Read{4}, Noted{"held as well"})
			r := w.runner(m)
			w.run(r)
			w.wait(r, "m", last)
			w.append("acme", "meter-3", Read{7})
			w.append("acme", "meter-2", Read{8})
			w.wait(r, "m", w.append("acme", "meter-1", Read{4}))
			if d := cmp.Diff("meter-1=10 meter-2=1 meter-3=7", sums(w)); d != "" {
				t.Error(d)
			}

			list := must(ListQuarantined(w.ctx, w.pool, "m", 10))(t)
			if len(list) != 1 {
				t.Fatalf("quarantine: %+v", list)
			}
			q := list[0]
			if q.Stream != "meter-2" || q.Revision != 1 || q.EventType != "MeterRead" || q.Held != 5 ||
				q.Business != "acme" || !strings.Contains(q.Error, "beastly") || q.Attempts != 1 || !q.Live {
				t.Errorf("quarantine: %+v", q)
			}

			// Tried too early, it stays.
			if n := must(Retry(w.ctx, w.pool, "m", "meter-2"))(t); n != 1 {
				t.Errorf("%d streams to retry", n)
			}
			w.until("second attempt", `SELECT attempts = 2 AND NOT retry FROM runner.quarantine`)

			cured.Store(true)
			must(Retry(w.ctx, w.pool, "m", ""))(t)
			w.until("out of quarantine", `SELECT count(*) = 0 FROM runner.quarantine`)
			w.wait(r, "m", w.append("acme", "meter-2", Read{16}))
			if d := cmp.Diff("meter-1=10 meter-2=697 meter-3=7", sums(w)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAStreamWithTwoPoisonedEventsIsAppliedUpToTheSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var cured atomic.Int64
	r := w.runner(&meters{name: "m", poison: func(e Read) error {
		if e.Value > cured.Load() {
			return errors.New("too much")
		}
		return nil
	}})
	cured.Store(99)
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}, Read{100}, Read{2}, Read{200}, Read{3}))
	cured.Store(150)
	must(Retry(w.ctx, w.pool, "m", "meter-1"))(t)
	w.until("the second poisoned event", `SELECT event_revision = 3 AND held = 2 FROM runner.quarantine`)
	if got := sums(w); got != "meter-1=103" {
		t.Errorf("applied up to the second: %s", got)
	}
	cured.Store(300)
	must(Retry(w.ctx, w.pool, "m", "meter-1"))(t)
	w.until("out of quarantine", `SELECT count(*) = 0 FROM runner.quarantine`)
	if got := sums(w); got != "meter-1=306" {
		t.Errorf("applied to the end: %s", got)
	}
}

// A program that does not know an event yet holds its stream back; the one that
// replaces it tries by itself.
func TestAnUnknownEventIsAppliedByTheProgramThatKnowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := w.codec
	old := w.runner(&meters{name: "m"})
	old.cfg.Codec = must(eventstore.NewCodec(nil, types[0]))(t)
	stop := w.run(old)
	w.append("acme", "meter-1", Read{1}, Noted{"the old program does not know this"}, Read{2})
	w.wait(old, "m", w.append("acme", "meter-2", Read{4}))
	if got := sums(w); got != "meter-1=1 meter-2=4" {
		t.Errorf("by the old program: %s", got)
	}
	stop()
	w.codec = whole
	w.run(w.runner(&meters{name: "m"}))
	w.until("applied by the new program", `SELECT sum = 3 FROM read.m_sum WHERE meter = 'meter-1'`)
}

// Named is an event with a personal field.
type Named struct {
	Owner string `json:"owner"`
	Name  string `json:"name" personal:"Owner"`
}

// sealed is a projection to which personal fields are nothing.
type sealed struct{ *meters }

func (sealed) Sealed() {}

// A retry reads the log by a way of its own.
func TestARetryOpensNoPersonalFieldForWhomItIsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.codec = must(eventstore.NewCodec(codectest.NewKeyring(), append(slices.Clone(types), eventstore.Event[Named]("MeterNamed", 1))...))(t)
	var cured atomic.Bool
	var seen atomic.Pointer[Named]
	r := w.runner(sealed{&meters{name: "m", before: func(_ context.Context, _ pgx.Tx, batch []eventstore.Decoded) error {
		for _, d := range batch {
			if e, ok := d.Event.(Named); ok {
				if !cured.Load() {
					return errors.New("not yet")
				}
				seen.Store(&e)
			}
		}
		return nil
	}}})
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Named{Owner: "dana", Name: "Dana Reyes"}))
	w.until("in quarantine", `SELECT count(*) = 1 FROM runner.quarantine`)
	cured.Store(true)
	must(Retry(w.ctx, w.pool, "m", "meter-1"))(t)
	w.until("out of quarantine", `SELECT count(*) = 0 FROM runner.quarantine`)
	if d := cmp.Diff(&Named{Owner: "dana"}, seen.Load()); d != "" {
		t.Error(d)
	}
}

func TestAFullQuarantineStopsTheProjection(t *testing.T) {
	t.Parallel()
	found := newFindings(nil)
	var err error
	for i := 0; err == nil && i <= maxQuarantined; i++ {
		e := eventstore.Decoded{Record: eventstore.Recorded{Stream: strings.Repeat("m", i+1)}, Err: errors.New("bad")}
		_, err = found.sift([]eventstore.Decoded{e})
	}
	if !errors.Is(err, errBroken) || len(found.poisoned) != maxQuarantined {
		t.Errorf("%d streams, then %v", len(found.poisoned), err)
	}
}
