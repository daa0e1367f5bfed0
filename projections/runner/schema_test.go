package runner

import (
	"context"
	"strings"
	"testing"
)

// indexed has what a schema may have besides tables.
type indexed struct{ *meters }

func (i indexed) Schema() string {
	return i.meters.Schema() + `
		ALTER TABLE m_sum ADD twice bigint GENERATED ALWAYS AS (sum * 2) STORED;
		CREATE UNIQUE INDEX m_once ON m_sum (meter, last);
		CREATE INDEX m_high ON m_sum (sum);
		CREATE TABLE m_part (business_id text NOT NULL, n bigint NOT NULL, _stream text NOT NULL, _position bigint NOT NULL)
			PARTITION BY RANGE (n);
		CREATE TABLE m_part_low PARTITION OF m_part FOR VALUES FROM (0) TO (10) WITH (autovacuum_vacuum_insert_threshold = 77);
		CREATE INDEX m_of_part ON m_part (n);`
}

// begunReplay is a replay that has its tables, and nobody who fills them.
func (w *world) begunReplay() (*Runner, Status) {
	w.t.Helper()
	r := w.runner(indexed{&meters{name: "m"}})
	stop := w.run(r)
	w.wait(r, "m", w.history("acme", 3))
	stop()
	return r, w.look(r, must(r.Replay(w.ctx, "m", Options{}))(w.t), "made", func(Status) bool { return true })
}

// An index that says what may be in a table is needed while it is filled, because
// rows are upserted by it; one that only makes reading faster waits.
func TestOnlyIndexesThatNobodyNeedsAreDeferred(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, s := w.begunReplay()
	indexes := func() string {
		return query[string](w, `SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = $1`, s.Schema)
	}
	untidied := func() int {
		return query[int](w, `SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace($1)
			AND reloptions::text LIKE '%autovacuum_vacuum_insert_threshold=-1%'`, s.Schema)
	}
	if got, n := indexes(), untidied(); got != "m_of_part m_once m_part_low_n_idx m_reading_pkey m_sum_pkey" || n != 2 {
		t.Errorf("while it is filled: %s, %d tables are not vacuumed", got, n)
	}
	w.run(r)
	w.look(r, s.Build, "ready", ready)
	if got, n := indexes(), untidied(); got != "m_high m_of_part m_once m_part_low_n_idx m_reading_pkey m_sum_pkey" || n != 0 {
		t.Errorf("when it is filled: %s, %d tables are not vacuumed", got, n)
	}
}

// Postgres makes generated columns, and takes them from nobody.
func TestAPartReplayHasGeneratedColumnsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(indexed{&meters{name: "m"}})
	w.run(r)
	w.history("bolt", 3)
	w.wait(r, "m", w.history("cora", 3))
	w.exec(`UPDATE m_v1.m_sum SET sum = sum + 1000`)
	part := must(r.Replay(w.ctx, "m", Options{Scope: Scope{Business: "bolt"}, CutOver: true}))(t)
	w.look(r, part, "cut over", func(s Status) bool { return s.Ended })
	want := "bolt-0=3/6 bolt-1=3/6 bolt-2=3/6 cora-0=1003/2006 cora-1=1003/2006 cora-2=1003/2006"
	if got := query[string](w, `SELECT string_agg(format('%s=%s/%s', meter, sum, twice), ' ' ORDER BY meter) FROM read.m_sum`); got != want {
		t.Errorf("sums are %s, want %s", got, want)
	}
}

// A vacuum by hand lasts, and gives way to nobody.
func TestIndexesWaitForWhoeverHoldsTheTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, s := w.begunReplay()
	vacuum := must(w.pool.Begin(w.ctx))(t)
	defer func() { _ = vacuum.Rollback(context.WithoutCancel(w.ctx)) }()
	must(vacuum.Exec(w.ctx, "LOCK TABLE "+ident(s.Schema)+".m_sum IN SHARE UPDATE EXCLUSIVE MODE"))(t)
	w.run(r)
	w.look(r, s.Build, "told", func(s Status) bool { return strings.Contains(s.Note, "the indexes wait for somebody") })
	if err := vacuum.Rollback(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.look(r, s.Build, "ready", ready)
}
