package sqlprojection

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/projections/projectiontest"
)

var update = flag.Bool("update", false, "write the golden files")

func migrate(url string) error { return database.Migrate(context.Background(), url) }

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := database.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func testPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return open(t, postgres.ForTestWithTemplate(t, "sqlprojection", migrate))
}

// checks are those of the tests: all events of the portal, and a sample of them.
func checks(t *testing.T, d *Definition) Checks {
	t.Helper()
	mine, other := projectiontest.Sample()
	types := make(map[string]bool)
	for _, name := range d.Types() {
		types[name] = true
	}
	c := Checks{
		Types: slices.Sorted(maps.Keys(projectiontest.Types())), Taken: []string{"invoices"},
		Sample: Sample{Share: 0.5}, Limits: Limits{Statement: 400 * time.Millisecond, Memory: "16MB", Disk: "64MB"},
	}
	for _, e := range append(mine.Events, other.Events...) {
		if types[e.Record.Type] {
			c.Sample.Events = append(c.Sample.Events, e)
		}
	}
	return c
}

// What analysts get wrong is refused with its place and with help, and nothing
// is the worse for it.
func TestWrongDefinitions(t *testing.T) {
	t.Parallel()
	pool := testPool(t)
	before := everything(t, pool)
	files, err := filepath.Glob("testdata/wrong/*.sql")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(string(source))
			if err == nil {
				c := checks(t, d)
				if strings.HasSuffix(file, "join.sql") {
					c.Sample.Events = many(c.Sample.Events, 600)
				}
				_, err = Check(t.Context(), pool, d, c)
			}
			var p *Problem
			if !errors.As(err, &p) || p.Line == 0 {
				t.Fatalf("it was refused with %v", err)
			}
			golden(t, strings.TrimSuffix(file, ".sql")+".golden", err.Error()+"\n")
		})
	}
	t.Cleanup(func() { // once the parallel ones are over
		pool := open(t, pool.Config().ConnString())
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if diff := cmp.Diff(before, everythingWith(ctx, t, pool)); diff != "" {
			t.Errorf("the database was changed:\n%s", diff)
		}
	})
}

func everything(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return everythingWith(t.Context(), t, pool)
}

// everythingWith lists all tables and roles.
func everythingWith(ctx context.Context, t *testing.T, pool *pgxpool.Pool) (names []string) {
	t.Helper()
	err := pool.QueryRow(ctx, `SELECT ARRAY(
		SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'v')
		UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%temp%'
		UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE 'sql_trial%' ORDER BY 1)`).Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// many are so many streams like the first event's.
func many(events []eventstore.Decoded, n int) (all []eventstore.Decoded) {
	for i := range n {
		e := events[0]
		e.Record.Stream = e.Record.Stream[:len(e.Record.Stream)-4] + string(rune('a'+i%26)) + string(rune('a'+i/26))
		e.Record.Position.Commit = uint64(i + 1)
		all = append(all, e)
	}
	return all
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// The worked examples are good, and nothing is to be said against them.
func TestExamples(t *testing.T) {
	t.Parallel()
	pool := testPool(t)
	for _, name := range examples {
		d := example(t, name)
		report, err := Check(t.Context(), pool, d, checks(t, d))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(report.Warnings) > 0 || report.Events == 0 || report.WholeLog != 2*report.Events {
			t.Errorf("%s: %+v", name, report)
		}
		for table, n := range report.Rows {
			if n == 0 {
				t.Errorf("%s: no row in %s", name, table)
			}
		}
	}
}

var examples = []string{"pay-days", "recovery-rate", "triage-times", "late-fee-effect"}

// The guide's file, with its two mistakes mended as it says, is the one in the
// folder.
func TestTheGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "analysts.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "```sql\n")
	source, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "```sql\n")
	mended, _, _ := strings.Cut(rest, "```")
	source = strings.Replace(source, "FROM event\n", "FROM events\n", 1)
	source = strings.Replace(source, "    payments = excluded.payments, amount = excluded.amount,\n", mended, 1)
	if diff := cmp.Diff(example(t, "pay-days").Source, source); diff != "" {
		t.Errorf("(-folder +guide):\n%s", diff)
	}
}

func example(t *testing.T, name string) *Definition {
	t.Helper()
	d, err := Load(filepath.Join("..", "..", "docs", "analysts", name))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
