package compare

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

// Whatever happened, a diff names exactly the rows that differ, counts the
// columns in which they do, and the events that it names explain them: without
// these, both versions come to the same.
func TestADiffNamesWhatDiffersAndWhy(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	old, new := projectiontest.Connect(t, feesTwice{}), projectiontest.Connect(t, fixed{})
	scratches := [2]*Scratch{scratch(t, pool, feesTwice{}), scratch(t, pool, fixed{})}
	explained, together := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx, events := t.Context(), draw(rt)
		was, is := fill(ctx, rt, pool, feesTwice{}, "live", events), fill(ctx, rt, pool, fixed{}, "building", events)
		defer drop(ctx, rt, pool, was, is)
		report, err := Diff(ctx, pool, was, is, Options{Examples: MaxExamples})
		if err != nil {
			rt.Fatal(err)
		}
		table := report.Tables[0]
		wantRows, wantColumns := plainly(ctx, rt, pool, was, is, "invoices", "invoice_id")
		got := make(map[string]bool)
		for _, e := range table.Examples {
			got[e.Key["invoice_id"]] = true
		}
		if diff := cmp.Diff(wantRows, got); diff != "" {
			rt.Fatalf("rows (-plainly +diff):\n%s", diff)
		}
		columns := make(map[string]int64)
		for _, c := range table.Columns {
			columns[c.Name] = c.Rows
		}
		if diff := cmp.Diff(wantColumns, columns); diff != "" {
			rt.Fatalf("columns (-plainly +diff):\n%s", diff)
		}
		if table.Changed != int64(len(wantRows)) || table.OnlyOld+table.OnlyNew+table.NotYet != 0 || report.Different != (len(wantRows) > 0) {
			rt.Fatalf("counts %+v", table)
		}
		for _, e := range table.Examples {
			x := explainIn(ctx, rt, scratches, &table, &e, events)
			if !x.Explained {
				rt.Fatalf("%v: not explained: %s", e.Key, x.Why)
			}
			explained++
			if len(x.Events) > 1 && !x.Each {
				together++
			}
			for _, without := range alternatives(x) {
				left := leaving(events, without)
				a := projectiontest.After(ctx, rt, old, feesTwice{}, left)["invoices"]
				b := projectiontest.After(ctx, rt, new, fixed{}, left)["invoices"]
				if diff := cmp.Diff(rowOf(a, e.Key["invoice_id"]), rowOf(b, e.Key["invoice_id"])); diff != "" {
					rt.Fatalf("without %v there is still a difference:\n%s", without, diff)
				}
			}
		}
	})
	if explained == 0 || together == 0 {
		t.Errorf("%d differences explained, %d of them by several events: the histories are too tame", explained, together)
	}
}

// Rows without a key are counted as often as they are there.
func TestADiffOfRowsWithoutAKey(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	scratches := [2]*Scratch{scratch(t, pool, deaf{}), scratch(t, pool, timeline.Projection{})}
	seen := make(map[Kind]int)
	rapid.Check(t, func(rt *rapid.T) {
		ctx, events := t.Context(), draw(rt)
		was, is := fill(ctx, rt, pool, deaf{}, "live", events), fill(ctx, rt, pool, timeline.Projection{}, "building", events)
		defer drop(ctx, rt, pool, was, is)
		report, err := Diff(ctx, pool, was, is, Options{Examples: MaxExamples, Personal: true})
		if err != nil {
			rt.Fatal(err)
		}
		want := make(map[string]int) // how much more often in the old one
		for _, row := range rowsOf(ctx, rt, pool, was, "timeline") {
			want[row]++
		}
		for _, row := range rowsOf(ctx, rt, pool, is, "timeline") {
			want[row]--
		}
		maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
		var onlyOld, onlyNew int64
		for _, n := range want {
			onlyOld, onlyNew = onlyOld+int64(max(n, 0)), onlyNew+int64(max(-n, 0))
		}
		table := report.Tables[0]
		if table.OnlyOld != onlyOld || table.OnlyNew != onlyNew || table.Changed != 0 {
			rt.Fatalf("only old %d, want %d; only new %d, want %d", table.OnlyOld, onlyOld, table.OnlyNew, onlyNew)
		}
		got := make(map[string]int)
		for _, e := range table.Examples {
			seen[e.Kind]++
			content := e.before()
			if content == nil {
				content = e.after()
			}
			got[canonical(rt, content)] = int(e.Times[0] - e.Times[1])
			x := explainIn(ctx, rt, scratches, &table, &e, events)
			if !x.Explained || len(x.Events) != 1 || x.Events[0].ID.String() != textOf(content["event_id"]) {
				rt.Fatalf("explained by %+v, want event %s", x, content["event_id"])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("rows (-plainly +diff):\n%s", diff)
		}
	})
	if seen[OnlyOld] == 0 || seen[OnlyNew] == 0 {
		t.Errorf("saw %v", seen)
	}
}

// draw makes a random history in which some late fees and a view are certain.
func draw(t *rapid.T) []eventstore.Decoded {
	h, id := projectiontest.Draw(t), projectiontest.ID(777)
	add := func(e invoice.Event) { h.Add(projectiontest.Sam, invoice.Stream(id), e) }
	customer, at := projectiontest.CustomerID, projectiontest.Noon
	add(invoice.Drafted{InvoiceID: id, BusinessID: h.Business, CustomerID: customer, Currency: "EUR", At: at})
	add(invoice.Issued{CustomerID: customer, Number: 777, Total: euros(1000), At: at})
	for i := range rapid.SampledFrom([]int{2, 1, 3, 0}).Draw(t, "fees") {
		add(invoice.LateFeeAdded{CustomerID: customer, ChargeID: projectiontest.ID(780 + i), Amount: euros(int64(100 + i)), At: at})
	}
	add(invoice.Viewed{CustomerID: customer, ContactID: projectiontest.DanaID, Version: 1, At: at})
	return h.Events
}

func scratch(t *testing.T, pool *pgxpool.Pool, p runner.Projection) *Scratch {
	t.Helper()
	s, err := OpenScratch(t.Context(), pool, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// failer is a test, or a round of rapid's.
type failer interface {
	projectiontest.Fataler
	Fatalf(format string, args ...any)
}

// explainIn explains an example by the events of its stream.
func explainIn(ctx context.Context, t failer, scratches [2]*Scratch, table *Table, e *Example, events []eventstore.Decoded) Explanation {
	t.Helper()
	q := table.pair.question(e)
	q.old, q.new, q.limits = scratches[0], scratches[1], Limits{}.orDefault()
	var of []eventstore.Decoded
	for _, d := range events {
		if d.Record.Stream == e.Stream {
			of = append(of, d)
		}
	}
	s := &search{question: q, history: History{Events: of}}
	if oldWrong, newWrong, err := s.reproduce(ctx); err != nil || oldWrong || newWrong {
		t.Fatalf("the events do not make the rows: old %t, new %t, %v", oldWrong, newWrong, err)
	}
	x, err := s.explain(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// alternatives are the events that have to go, each in turn where one is enough.
func alternatives(x Explanation) [][]uuid.UUID {
	var all []uuid.UUID
	var each [][]uuid.UUID
	for _, e := range x.Events {
		all, each = append(all, e.ID), append(each, []uuid.UUID{e.ID})
	}
	if x.Each {
		return each
	}
	return [][]uuid.UUID{all}
}

func leaving(events []eventstore.Decoded, gone []uuid.UUID) []eventstore.Decoded {
	return slices.DeleteFunc(slices.Clone(events), func(d eventstore.Decoded) bool { return slices.Contains(gone, d.Record.ID) })
}

// plainly compares two tables in memory: which rows differ, and in how many each
// column does.
func plainly(ctx context.Context, t *rapid.T, pool *pgxpool.Pool, was, is, table, key string) (map[string]bool, map[string]int64) {
	t.Helper()
	rows, columns := make(map[string]bool), make(map[string]int64)
	after := make(map[string]map[string]any)
	for _, text := range rowsOf(ctx, t, pool, is, table) {
		row := parsed(t, text)
		after[row[key].(string)] = row
	}
	for _, text := range rowsOf(ctx, t, pool, was, table) {
		row := parsed(t, text)
		id := row[key].(string)
		for column, value := range row {
			if !cmp.Equal(value, after[id][column]) {
				rows[id] = true
				columns[column]++
			}
		}
	}
	return rows, columns
}

// rowsOf are a table's rows as JSON, without their positions.
func rowsOf(ctx context.Context, t *rapid.T, pool *pgxpool.Pool, schema, table string) []string {
	t.Helper()
	rows, err := pool.Query(ctx, `SELECT (to_jsonb(r) - '_position')::text FROM `+pgx.Identifier{schema, table}.Sanitize()+` r`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i] = canonical(t, parsed(t, list[i]))
	}
	return list
}

func parsed(t *rapid.T, text string) map[string]any {
	var row map[string]any
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		t.Fatal(err)
	}
	return row
}

func canonical(t *rapid.T, row any) string {
	encoded, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(encoded, &again); err != nil {
		t.Fatal(err)
	}
	encoded, err = json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// rowOf is the row of the invoice without its position.
func rowOf(rows []string, id string) map[string]any {
	for _, text := range rows {
		if strings.Contains(text, id) {
			var row map[string]any
			if json.Unmarshal([]byte(text), &row) == nil && row["invoice_id"] == id {
				delete(row, "_position")
				return row
			}
		}
	}
	return nil
}

// largeFeesTwice counts a fee twice if it is of four euros or more.
type largeFeesTwice struct{ invoices.Projection }

func (largeFeesTwice) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	var counted []eventstore.Decoded
	for _, d := range batch {
		counted = append(counted, d)
		if fee, ok := d.Event.(invoice.LateFeeAdded); ok && fee.Amount.Amount >= 400 {
			counted = append(counted, d)
		}
	}
	return invoices.Projection{}.Apply(ctx, tx, counted)
}

// Several events explain a difference together, and none that has nothing to do
// with it is among them.
func TestAsFewEventsAsItTakes(t *testing.T) {
	t.Parallel()
	ctx, pool, h := t.Context(), migrated(t), charged()
	for i, amount := range []int64{400, 100, 600} {
		h.Add(projectiontest.Sam, invoice.Stream(projectiontest.DueID), invoice.LateFeeAdded{
			CustomerID: projectiontest.ReyesID, ChargeID: projectiontest.ID(910 + i), Amount: euros(amount), At: projectiontest.Noon,
		})
	}
	was, is := fill(ctx, t, pool, largeFeesTwice{}, "live", h.Events), fill(ctx, t, pool, fixed{}, "building", h.Events)
	report, err := Diff(ctx, pool, was, is, Options{Examples: 9})
	if err != nil {
		t.Fatal(err)
	}
	scratches := [2]*Scratch{scratch(t, pool, largeFeesTwice{}), scratch(t, pool, fixed{})}
	e := exampleOf(t, &report.Tables[0], projectiontest.DueID)
	x := explainIn(ctx, t, scratches, &report.Tables[0], e, h.Events)
	var want []uuid.UUID
	for _, d := range h.Events {
		if fee, ok := d.Event.(invoice.LateFeeAdded); ok && d.Record.Stream == e.Stream && fee.Amount.Amount >= 400 {
			want = append(want, d.Record.ID)
		}
	}
	if diff := cmp.Diff([][]uuid.UUID{want}, alternatives(x)); diff != "" || len(want) != 3 {
		t.Errorf("explained by (-want +got):\n%s", diff)
	}
}
