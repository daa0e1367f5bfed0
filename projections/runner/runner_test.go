package runner

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

func TestRowsFollowTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.append("acme", "meter-1", Read{1}, Read{2})
	r := w.runner(&meters{name: "m"})
	stop := w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{3}))
	if got := query[int](w, `SELECT sum FROM m_v1.m_sum`); got != 6 {
		t.Errorf("sum %d", got)
	}

	stop()
	w.append("acme", "meter-2", Read{10})
	last := w.append("acme", "meter-1", Read{4})
	again := w.runner(&meters{name: "m"})
	w.run(again)
	w.wait(again, "m", last)
	if got := query[string](w, `SELECT string_agg(meter || ' ' || sum, ', ' ORDER BY meter) FROM m_v1.m_sum`); got != "meter-1 10, meter-2 10" {
		t.Errorf("after a restart: %s", got)
	}
}

func TestEventsThatAreNotWantedMoveThePosition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.append("acme", "meter-1", Read{1}, Noted{"dusty"})
	r := w.runner(&meters{name: "m", types: []string{"MeterRead"}})
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Noted{"cleaned"}))
	w.wait(r, "m", w.append("acme", "meter-1", Noted{"dusty again"}))
	elsewhere := w.runner(&meters{name: "m"}) // does not run: it asks Postgres
	w.wait(elsewhere, "m", w.append("acme", "meter-1", Noted{"cleaned again"}))
	if got := query[int](w, `SELECT count(*) FROM m_v1.m_reading`); got != 1 {
		t.Errorf("%d readings", got)
	}
}

func TestAnIdleProjectionIsCompleteUpToNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	before := query[time.Time](w, `SELECT as_of FROM runner.builds`)
	w.until("complete beyond the last event",
		`SELECT caught_up AND as_of > $1::timestamptz + interval '1 second' FROM runner.builds`, before)
	status := must(r.Status(w.ctx))(t)
	if len(status) != 1 || !status[0].CaughtUp || !status[0].Leading || !status[0].Live {
		t.Errorf("status %+v", status)
	}
}

func TestReadersSeeTheirBusinessOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.append("acme", "meter-1", Read{1})
	w.wait(r, "m", w.append("bolt", "meter-2", Read{2}))

	for business, want := range map[string][]string{"acme": {"meter-1"}, "bolt": {"meter-2"}, "nobody": {}} {
		for _, relation := range []string{"m_sum", "read.m_sum", "m_v1.m_sum"} {
			var got []string
			question := &pgx.Batch{}
			question.Queue(`SELECT meter FROM ` + relation).Query(func(rows pgx.Rows) (err error) {
				got, err = pgx.CollectRows(rows, pgx.RowTo[string])
				return err
			})
			err := w.readers.Ask(w.ctx, business, question)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s reads %s: %s", business, relation, d)
			}
			if err != nil {
				t.Errorf("%s reads %s: %v", business, relation, err)
			}
		}
	}
	// Without a business, be it never named or named in an earlier transaction
	// of the session, there is nothing to see.
	conn := must(w.pool.Acquire(w.ctx))(t)
	defer conn.Release()
	for _, before := range []string{"SELECT", "BEGIN; SET LOCAL portal.business = 'acme'; COMMIT"} {
		var n int
		if _, err := conn.Exec(w.ctx, before+"; SET ROLE portal_reader"); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(w.ctx, `SELECT count(*) FROM read.m_sum`).Scan(&n); err != nil || n != 0 {
			t.Errorf("after %q: %d rows, %v", before, n, err)
		}
	}
}

func TestAProjectionWhoseTablesCannotBeSecuredIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, schema := range []string{
		`CREATE TABLE m (business_id text NOT NULL, _stream text, _position int)`,
		`CREATE TABLE m (business_id text, _stream text, _position bigint)`,
		`CREATE TABLE m (_stream text, _position bigint)`,
		`CREATE TABEL m ()`,
	} {
		if err := w.runner(fixedSchema{&meters{name: "m"}, schema}).Run(w.ctx); err == nil || w.ctx.Err() != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
	if got := query[int](w, `SELECT count(*) FROM runner.builds`); got != 0 {
		t.Errorf("%d builds are left behind", got)
	}
}

type fixedSchema struct {
	Projection
	schema string
}

func (f fixedSchema) Schema() string { return f.schema }

func TestAnotherLogIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	stop := w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	stop()

	other := newWorldOn(t, w.url)
	other.append("acme", "meter-1", Read{1})
	if err := other.runner(&meters{name: "m"}).Run(other.ctx); !errors.Is(err, ErrOtherLog) {
		t.Errorf("another log: %v", err)
	}
	// The same first event is not enough: the log may be an older backup.
	if _, err := w.pool.Exec(w.ctx, `UPDATE runner.builds SET event_revision = 7`); err != nil {
		t.Fatal(err)
	}
	if err := w.runner(&meters{name: "m"}).Run(w.ctx); !errors.Is(err, ErrOtherLog) {
		t.Errorf("a log that ends before the checkpoint: %v", err)
	}
}

// A log that was restored to where a read model is, or later, is still its log,
// also once both have gone on.
func TestARestoredLogIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.run(w.runner(&meters{name: "m"}))
	w.wait(w.runner(&meters{name: "m"}), "m", w.append("acme", "meter-1", Read{1}))
	stop()
	note := eventstore.Proposed{ID: uuid.New(), Type: "$restored", Data: []byte(`{}`)}
	if _, err := w.client.Append(w.ctx, eventstore.RestoresStream, eventstore.Any(), note); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := w.runner(&meters{name: "m"})
		stop := w.run(r)
		w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
		stop()
	}
	if got := query[int](w, `SELECT sum(sum) FROM m_v1.m_sum`); got != 3 {
		t.Errorf("sum %d", got)
	}
	if got := query[uuid.UUID](w, `SELECT log_id FROM runner.builds`); got != note.ID {
		t.Errorf("the checkpoint is in log %s", got)
	}
}

func TestAHistoryIsAppliedInLargeBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var last eventstore.Position
	for i := range 40 {
		events := make([]any, 100)
		for j := range events {
			events[j] = Read{int64(j)}
		}
		last = w.append("acme", fmt.Sprintf("meter-%d", i), events...)
	}
	batches := 0
	r := w.runner(&meters{name: "m", before: func(context.Context, pgx.Tx, []eventstore.Decoded) error {
		batches++
		return nil
	}})
	stop := w.run(r)
	w.wait(r, "m", last)
	stop()
	if got := query[int](w, `SELECT sum(sum) FROM m_v1.m_sum`); got != 40*4950 {
		t.Errorf("sum %d", got)
	}
	if batches > 20 {
		t.Errorf("%d batches of 4000 events", batches)
	}
}
