package projectiontest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
)

// Projection is what these tests need of a runner.Projection.
type Projection interface {
	Name() string
	Schema() string
	Types() []string
	Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error
}

// Connect makes a database of the test's own with the tables of the projection.
func Connect(t testing.TB, p Projection) *pgx.Conn {
	t.Helper()
	ctx := t.Context()
	url := postgres.ForTestWithTemplate(t, "projection-"+p.Name(), func(url string) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		if err := database.EnsureRole(ctx, conn, database.ReaderRole); err != nil { // policies may name it
			return err
		}
		_, err = conn.Exec(ctx, p.Schema())
		return err
	})
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["timezone"] = "UTC"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Fataler is a test, or a round of rapid's.
type Fataler interface {
	Helper()
	Fatal(args ...any)
}

// After applies the batches, returns every table as its rows then are, and
// rolls back.
func After(ctx context.Context, t Fataler, conn *pgx.Conn, p Projection, batches ...[]eventstore.Decoded) map[string][]string {
	t.Helper()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	for _, batch := range batches {
		wanted := Wanted(p, batch)
		if len(wanted) == 0 {
			continue
		}
		if err := p.Apply(ctx, tx, wanted); err != nil {
			t.Fatal(err)
		}
	}
	return tables(ctx, t, tx)
}

// Wanted are the events of the batch that the projection asks for.
func Wanted(p Projection, batch []eventstore.Decoded) []eventstore.Decoded {
	types := make(map[string]bool)
	for _, name := range p.Types() {
		types[name] = true
	}
	var wanted []eventstore.Decoded
	for _, d := range batch {
		if len(types) == 0 || types[d.Record.Type] {
			wanted = append(wanted, d)
		}
	}
	return wanted
}

func tables(ctx context.Context, t Fataler, tx pgx.Tx) map[string][]string {
	t.Helper()
	rows, err := tx.Query(ctx, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, name := range names {
		rows, err := tx.Query(ctx, `SELECT to_jsonb(r)::text FROM `+pgx.Identifier{name}.Sanitize()+` r ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
