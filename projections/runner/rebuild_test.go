package runner

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

func TestRebuildingBesideTheLiveTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	stopLoad := w.load()
	w.until("under way", `SELECT sum(sum) > 20 FROM read.m_sum`)
	w.exec(`UPDATE m_v1.m_sum SET sum = sum + 1000 WHERE meter = 'load-1'`) // a mistake that only a rebuild mends

	for range 3 {
		before := query[int](w, `SELECT id FROM runner.builds WHERE state = 'live'`)
		if err := r.Rebuild(w.ctx, "m"); err != nil {
			t.Fatal(err)
		}
		if live := query[int](w, `SELECT id FROM runner.builds WHERE state = 'live'`); live <= before {
			t.Errorf("after a rebuild, build %d is live as before", live)
		}
	}
	count, last := stopLoad()
	w.wait(r, "m", last)
	w.checkSum(count)
	w.until("the planner knows the new tables", `
		SELECT count(*) > 0 FROM pg_stats s JOIN runner.builds b ON b.schema = s.schemaname AND b.state = 'live'`)
	// One build is kept to go back to.
	if got := query[string](w, `SELECT string_agg(state, ' ' ORDER BY id) FROM runner.builds`); got != "retired live" {
		t.Errorf("builds: %s", got)
	}
	if got := query[int](w, `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'm\_v1%'`); got != 2 {
		t.Errorf("%d schemas", got)
	}
}

func TestRebuildingWithoutARunner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	stop := w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}, Read{2}))
	stop()
	w.append("acme", "meter-1", Read{4})
	if err := w.runner(&meters{name: "m"}).Rebuild(w.ctx, "m"); err != nil {
		t.Fatal(err)
	}
	if got := sums(w); got != "meter-1=7" {
		t.Errorf("rebuilt: %s", got)
	}
	if err := r.Rebuild(w.ctx, "n"); err == nil {
		t.Error("a projection that does not exist was rebuilt")
	}
}

// A new version is filled beside the one before, which stays readable, and an
// older program does not undo it.
func TestANewVersionTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.runner(&meters{name: "m", version: 1})
	stop := w.run(one)
	w.wait(one, "m", w.append("acme", "meter-1", Read{1}, Read{2}))

	two := w.runner(&meters{name: "m", version: 2, before: func(ctx context.Context, tx pgx.Tx, _ []eventstore.Decoded) error {
		var fromLive int64
		return tx.QueryRow(ctx, `SELECT sum FROM read.m_sum`).Scan(&fromLive)
	}})
	w.run(two)
	w.until("version 2 is live", `SELECT version = 2 FROM read.freshness`)
	w.wait(two, "m", w.append("acme", "meter-1", Read{4}))
	if got := sums(w); got != "meter-1=7" {
		t.Errorf("by version 2: %s", got)
	}
	stop()
	stop = w.run(w.runner(&meters{name: "m", version: 1}))
	w.wait(two, "m", w.append("acme", "meter-1", Read{8}))
	stop()
	if got := query[string](w, `SELECT string_agg(version || ' ' || state, ', ' ORDER BY id) FROM runner.builds`); got != "1 retired, 2 live" {
		t.Errorf("builds: %s", got)
	}
}

func TestDroppedReadModelsAreMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"}, &meters{name: "n", types: []string{"MeterRead"}})
	stop := w.run(r)
	var last eventstore.Position
	for i := range 20 {
		last = w.append("acme", fmt.Sprintf("meter-%d", i%3), Read{int64(i)}, Noted{"x"})
	}
	w.wait(r, "m", last)
	w.wait(r, "n", last)
	dump := func() string {
		return query[string](w, `SELECT (SELECT string_agg(m::text, ';' ORDER BY m) FROM read.m_reading m)
			|| (SELECT string_agg(n::text, ';' ORDER BY n) FROM read.n_sum n)`)
	}
	before := dump()
	stop()
	w.exec(`DROP SCHEMA m_v1 CASCADE; DROP SCHEMA n_v1 CASCADE`)

	again := w.runner(&meters{name: "m"}, &meters{name: "n"})
	w.run(again)
	w.wait(again, "m", last)
	w.wait(again, "n", last)
	if after := dump(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// A business need not make the portal a superuser of its Postgres: the owner of
// the database who may create roles will do.
func TestAsAPlainOwnerOfTheDatabase(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, ownedDatabase(t))
	r := w.runner(&meters{name: "m"})
	w.run(r)
	w.append("bolt", "meter-2", Read{2})
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	if err := r.Rebuild(w.ctx, "m"); err != nil {
		t.Fatal(err)
	}
	if got := query[bool](w, `SELECT rolsuper FROM pg_roles WHERE rolname = current_user`); got {
		t.Error("this is a superuser")
	}
	var sum int
	question := &pgx.Batch{}
	question.Queue(`SELECT sum(sum) FROM m_sum`).QueryRow(func(row pgx.Row) error { return row.Scan(&sum) })
	err := w.readers.Ask(w.ctx, "acme", question)
	if err != nil || sum != 1 {
		t.Errorf("acme reads %d, %v", sum, err)
	}
}
