package readapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"portal.example/projections/projectiontest"
	"portal.example/projections/timeline"
)

// ledger is a timeline with rows of many businesses.
type ledger struct{ *projectiontest.Live }

// newLedger fills a timeline with so many entries of each of the businesses that
// the query selects.
func newLedger(t *testing.T, businesses string, entries int) ledger {
	t.Helper()
	l := ledger{projectiontest.Follow(t, timeline.Projection{})}
	sample, _ := projectiontest.Sample()
	l.Append(t, sample) // the tables are there afterwards
	var table string
	if err := l.Pool.QueryRow(t.Context(), `SELECT schema || '.timeline' FROM runner.builds WHERE state = 'live'`).Scan(&table); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Pool.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO %s
		SELECT id, '', 'request', id || '-' || n, gen_random_uuid(), 'RequestFiled', 'system', '', '', '', '', 'import',
		       timestamptz '2026-01-01' + interval '1 minute' * (hashint4(n) & 1048575), now(), '{}', 'request-' || id || '-' || n, 0, n
		FROM (%s) AS business (id), generate_series(1, %d) AS n ORDER BY n, id`, table, businesses, entries)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Pool.Exec(t.Context(), `ANALYZE `+table); err != nil {
		t.Fatal(err)
	}
	return l
}

// ask returns the first column of what a reader of the business is answered.
func (l ledger) ask(t *testing.T, business, question string) (lines []string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	tx, err := l.Readers.Begin(ctx, business)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	rows, _ := tx.Query(ctx, question) // CollectRows returns it
	lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestALookAtABusinessReadsNoMoreThanItShows(t *testing.T) {
	t.Parallel()
	l := newLedger(t, `SELECT md5(b::text)::uuid::text FROM generate_series(1, 200) AS b`, 200)
	plan := strings.Join(l.ask(t, "c4ca4238-a0b9-2382-0dcc-509a6f75849b", `EXPLAIN (COSTS OFF)
		SELECT * FROM timeline e ORDER BY e.occurred_at DESC, e._position DESC, e._revision DESC LIMIT 51`), "\n")
	if !strings.Contains(plan, "Index Scan Backward using timeline_in_order") {
		t.Errorf("the plan sorts all of the business's entries:\n%s", plan)
	}
}

func TestBusinessesOfOneHashSeeTheirOwn(t *testing.T) {
	t.Parallel()
	l := newLedger(t, `
		SELECT unnest(ids) FROM (
			SELECT array_agg(b::text) FROM generate_series(1, 200000) AS b GROUP BY hashtext(b::text) HAVING count(*) > 1 LIMIT 1) AS alike (ids)`, 3)
	var alike []string
	if err := l.Pool.QueryRow(t.Context(), `SELECT array_agg(DISTINCT business_id) FROM read.timeline WHERE record_id = business_id || '-1'`).Scan(&alike); err != nil {
		t.Fatal(err)
	}
	if len(alike) < 2 {
		t.Fatalf("no two businesses have one hash: %v", alike)
	}
	for _, business := range alike {
		if got := l.ask(t, business, `SELECT business_id FROM timeline`); len(got) != 3 || got[0] != business || got[2] != business {
			t.Errorf("%s sees entries of %v", business, got)
		}
	}
}
