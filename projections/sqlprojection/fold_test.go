package sqlprojection

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/domain/invoice"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
)

// withRole is a projection whose role is made with its tables.
type withRole struct{ runner.Projection }

func (p withRole) Schema() string {
	return "CREATE ROLE fold_" + p.Name() + " NOLOGIN;" + p.Projection.Schema()
}

// However the log is cut into batches, the examples' tables are the same.
func TestCutsDoNotMatterToTheExamples(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(projectiontest.Draw)
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := example(t, name)
			p := withRole{New(d, "fold_"+d.Name, Running, nil)}
			conn := projectiontest.Connect(t, p)
			rows := 0
			for seed := range 8 {
				events := draw.Example(seed).Events
				whole := projectiontest.After(t.Context(), t, conn, p, events)
				for _, size := range []int{1, 3, len(events)/2 + 1} {
					cut := projectiontest.After(t.Context(), t, conn, p, slices.Collect(slices.Chunk(events, size))...)
					if diff := cmp.Diff(whole, cut); diff != "" {
						t.Fatalf("history %d (-at once +in batches of %d):\n%s", seed, size, diff)
					}
				}
				for _, table := range whole {
					rows += len(table)
				}
			}
			if rows < 4 {
				t.Errorf("only %d rows", rows)
			}
		})
	}
}

// The kinds of statements that there are, and what check warns of.
func TestWarnings(t *testing.T) {
	t.Parallel()
	pool := testPool(t)
	d, err := Parse(`
-- name: kinds
-- version: 1
-- tables:
CREATE TABLE kind (business_id text NOT NULL, customer text, n bigint NOT NULL, _stream text PRIMARY KEY, _position bigint NOT NULL);
-- on: InvoiceIssued
MERGE INTO kind k USING (
	SELECT business_id, data->>'customerId' AS customer, 100 / ((data->>'number')::bigint - 2) AS n, stream, position FROM events) e
ON k._stream = e.stream
WHEN MATCHED THEN UPDATE SET n = k.n + e.n, _position = e.position
WHEN NOT MATCHED THEN INSERT VALUES (e.business_id, e.customer, e.n, e.stream, e.position);
-- on: InvoicePaymentReceived
WITH RECURSIVE steps AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM steps WHERE i < 3),
paid AS (SELECT stream, max(position) AS position, count(*) AS n FROM events GROUP BY 1)
UPDATE kind SET n = kind.n + paid.n * (SELECT sum(i) FROM steps), _position = paid.position
FROM paid WHERE kind._stream = paid.stream;
-- on: InvoiceVoided
DELETE FROM kind USING events e WHERE customer = e.data->>'customerId';`)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(t.Context(), pool, d, checks(t, d))
	if err != nil {
		t.Fatal(err)
	}
	// The sample has three invoices that are issued, and one payment of each of two;
	// the second divides by zero.
	if report.Rows["kind"] != 2 || report.Events != 3 || len(report.Warnings) != 2 ||
		!strings.Contains(report.Warnings[0], "1 streams of the sample have an event that cannot be applied") ||
		!strings.Contains(report.Warnings[0], "division by zero") ||
		!strings.Contains(report.Warnings[1], "projection.sql:18:1: the statement reads all of table kind for every batch") {
		t.Errorf("%+v", report)
	}
}

// A row of two businesses belongs to nobody.
func TestRowsAreOfOneBusiness(t *testing.T) {
	t.Parallel()
	d := bills(t, "stream, business_id, 60 / ((data->>'number')::bigint - 2), stream, position FROM events",
		"max(stream), 'somebody', count(*), min(stream), max(position) FROM events WHERE data->>'number' = '1' GROUP BY stream")
	_, err := Check(t.Context(), testPool(t), d, checks(t, d))
	if err == nil || !strings.Contains(err.Error(), "projection.sql:5:14: table bill: a row does not have the business_id") {
		t.Errorf("said %v", err)
	}
}

// Personal fields are seen by those only that ask and are allowed to.
func TestPersonalFields(t *testing.T) {
	t.Parallel()
	l := live(t, migratedURL(t))
	h := &projectiontest.History{Business: projectiontest.BusinessID}
	h.Add(projectiontest.Sam, invoice.Stream(projectiontest.PaidID), invoice.Voided{
		CustomerID: projectiontest.ReyesID, Reason: "Dana moved away", At: time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC),
	})
	l.Append(t, h)
	definition := func(name, personal string) *Definition {
		d, err := Parse(strings.NewReplacer("NAME", name, "PERSONAL", personal).Replace(`
-- name: NAME
-- version: 1
-- personal: PERSONAL
-- tables:
CREATE TABLE NAME (business_id text NOT NULL, reason text, _stream text, _position bigint);
-- on: InvoiceVoided
INSERT INTO NAME SELECT business_id, data->>'reason', stream, position FROM events`))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	install(t, l, definition("blind", "no"))
	if err := Install(t.Context(), l.Pool, definition("seeing", "yes"), "", false); err == nil {
		t.Error("installed without the right")
	}
	if err := Install(t.Context(), l.Pool, definition("seeing", "yes"), "", true); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"blind": "", "seeing": "Dana moved away"} {
		caughtUp(t, l, name, 1)
		if got := value[string](t, l, `SELECT reason FROM read.`+name); got != want {
			t.Errorf("%s sees %q", name, got)
		}
	}
}

// A check keeps up with the largest sample that it is given.
func TestALargeSample(t *testing.T) {
	t.Parallel()
	d := bills(t, " - 2)", ")")
	c := checks(t, d)
	c.Limits.Statement = 5 * time.Second
	first := c.Sample.Events[0]
	c.Sample.Events = nil
	for i := range sampleEvents {
		e := first
		e.Record.Stream, e.Record.Position.Commit = fmt.Sprintf("invoice-%d", i), uint64(i+1)
		c.Sample.Events = append(c.Sample.Events, e)
	}
	report, err := Check(t.Context(), testPool(t), d, c)
	if err != nil || report.Rows["bill"] != sampleEvents || len(report.Warnings) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
