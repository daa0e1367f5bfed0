package compare

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"portal.example/eventstore"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

// A build that is behind does not make rows look different.
func TestLagIsNoDifference(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	late := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		events := projectiontest.Draw(rt).Events
		behind := events[:rapid.IntRange(1, len(events)).Draw(rt, "behind")]
		for _, p := range []runner.Projection{invoices.Projection{}, timeline.Projection{}} {
			ahead := fill(t.Context(), rt, pool, p, "live", events)
			lagging := fill(t.Context(), rt, pool, p, "building", behind)
			for _, pair := range [][2]string{{ahead, lagging}, {lagging, ahead}} {
				report, err := Diff(t.Context(), pool, pair[0], pair[1], Options{})
				if err != nil {
					rt.Fatal(err)
				}
				if report.Different || report.Aligned != (len(behind) == len(events)) {
					rt.Fatalf("%+v", report)
				}
				late += report.Tables[0].NotYet
			}
			drop(t.Context(), rt, pool, ahead, lagging)
		}
	})
	if late == 0 {
		t.Error("no build was ever behind with a row")
	}
}

func TestADiffWaitsUntilBothAreAtOnePlace(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pool := migrated(t)
	mine, _ := projectiontest.Sample()
	ahead := fill(ctx, t, pool, invoices.Projection{}, "live", mine.Events)
	behind := fill(ctx, t, pool, invoices.Projection{}, "building", mine.Events[:1])
	type result struct {
		report *Report
		err    error
	}
	done := make(chan result)
	go func() {
		report, err := Diff(ctx, pool, ahead, behind, Options{Wait: time.Minute})
		done <- result{report, err}
	}()
	until(ctx, t, func() bool { // it has looked, and waits
		select {
		case <-done:
			t.Fatal("it did not wait")
		default:
		}
		var n int
		err := pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = 'portal diff' AND datname = current_database() AND state = 'idle' AND query ILIKE 'rollback%'`).Scan(&n)
		return err == nil && n == 1
	})
	// It arrives, though it missed a few rows.
	if _, err := pool.Exec(ctx, `UPDATE runner.builds b SET commit_position = a.commit_position, prepare_position = a.prepare_position
		FROM runner.builds a WHERE a.schema = $1 AND b.schema = $2`, ahead, behind); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	if table := r.report.Tables[0]; !r.report.Aligned || table.OnlyOld != 4 || table.NotYet != 0 {
		t.Errorf("aligned %t: %+v", r.report.Aligned, table)
	}
}

// plain is a projection whose rows are put in by its schema.
type plain struct {
	version int
	schema  string
}

func (plain) Name() string                                              { return "plain" }
func (p plain) Version() int                                            { return p.version }
func (p plain) Schema() string                                          { return p.schema }
func (plain) Types() []string                                           { return []string{"Nothing"} }
func (plain) Apply(context.Context, pgx.Tx, []eventstore.Decoded) error { return nil }

func TestSchemasThatDiffer(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	const origin = "business_id text NOT NULL DEFAULT 'b', _stream text DEFAULT 's', _position bigint DEFAULT 1"
	was := fill(ctx, t, pool, plain{1, `
		CREATE TABLE kept ("the id" integer PRIMARY KEY, gone text, n integer, t text COLLATE "C", doc json, ` + origin + `);
		INSERT INTO kept VALUES (1, 'x', 1, 'same', '{"a": 1, "b": [1, {"c": "one"}]}'), (2, 'x', 2, 'was', '{}'), (3, 'x', NULL, 'same', NULL),
			(4, 'x', 4, 'old', NULL);
		CREATE TABLE rekeyed (a integer PRIMARY KEY, b integer, ` + origin + `);
		INSERT INTO rekeyed VALUES (1, 1), (2, 2);
		CREATE TABLE dropped (a integer PRIMARY KEY, ` + origin + `);
		INSERT INTO dropped VALUES (1);
		CREATE TABLE shapes (p point, x xml, ` + origin + `);
		INSERT INTO shapes VALUES ('(1,2)', '<a/>'), ('(1,2)', '<a/>'), ('(3,4)', NULL);`}, "live", nil)
	is := fill(ctx, t, pool, plain{2, `
		CREATE TABLE kept ("the id" bigint PRIMARY KEY, n numeric(10,2), t text, doc jsonb, fresh text, ` + origin + `);
		INSERT INTO kept VALUES (1, 1.00, 'same', '{"b": [1, {"c": "two"}], "a": 1}'), (2, 2.50, 'is', '{}'), (3, NULL, 'same', NULL),
			(5, 5, 'new', NULL);
		CREATE TABLE rekeyed (a integer, b integer, PRIMARY KEY (a, b), ` + origin + `);
		INSERT INTO rekeyed VALUES (1, 1), (2, 3);
		CREATE TABLE added (a integer PRIMARY KEY, ` + origin + `);
		CREATE TABLE shapes (p point, x xml, ` + origin + `);
		INSERT INTO shapes VALUES ('(1,2)', '<a/>'), ('(3,4)', NULL);`}, "building", nil)
	report, err := Diff(ctx, pool, was, is, Options{Examples: 9, Personal: true})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]Table)
	for _, table := range report.Tables {
		got[table.Name] = table
	}
	kept := got["kept"]
	if kept.Changed != 2 || kept.OnlyOld != 1 || kept.OnlyNew != 1 || !cmp.Equal(kept.Added, []string{"fresh"}) || !cmp.Equal(kept.Removed, []string{"gone"}) ||
		!cmp.Equal(kept.Columns, []ColumnCount{{"n", 1}, {"t", 1}, {"doc", 1}}) {
		t.Errorf("kept: %+v", kept)
	}
	if !cmp.Equal(kept.Retyped, []string{"the id", "n", "doc"}) {
		t.Errorf("of another type: %v", kept.Retyped)
	}
	if want := []Change{{Name: "doc.b[1].c", From: "one", To: "two"}}; !cmp.Equal(kept.Examples[0].Changes, want) {
		t.Errorf("within JSON: %+v", kept.Examples[0].Changes)
	}
	if rekeyed := got["rekeyed"]; len(rekeyed.Key) != 0 || rekeyed.OnlyOld != 1 || rekeyed.OnlyNew != 1 {
		t.Errorf("with another key: %+v", rekeyed)
	}
	if dropped := got["dropped"]; dropped.InNew || !dropped.InOld || dropped.OnlyOld != 1 {
		t.Errorf("dropped: %+v", dropped)
	}
	if added := got["added"]; added.InOld || added.OnlyNew != 0 {
		t.Errorf("added: %+v", added)
	}
	if shapes := got["shapes"]; shapes.OnlyOld != 1 || shapes.OnlyNew != 0 {
		t.Errorf("types without equality: %+v", shapes)
	}

	for name, o := range map[string]Options{"there is no table": {Tables: []string{"nothing"}}} {
		if _, err := Diff(ctx, pool, was, is, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := Diff(ctx, pool, was, "nothing", Options{}); err == nil {
		t.Error("a build that is not there was compared")
	}
}

// Where a row says the same by another event, there is a difference only for
// whoever asks.
func TestPositions(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	table := func(position string) string {
		return `CREATE TABLE a (id integer PRIMARY KEY, business_id text NOT NULL, _stream text, _position bigint);
			INSERT INTO a VALUES (1, 'b', 's', ` + position + `);`
	}
	was, is := fill(ctx, t, pool, plain{1, table("0")}, "live", nil), fill(ctx, t, pool, plain{1, table("-1")}, "building", nil)
	for asked := range map[bool]bool{false: true, true: true} {
		report, err := Diff(ctx, pool, was, is, Options{Positions: asked})
		if err != nil || report.Different != asked {
			t.Errorf("asked %t: %+v, %v", asked, report, err)
		}
	}
}
