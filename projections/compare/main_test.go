package compare

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

// TestMain draws few histories where nobody says how many: each costs two builds
// and many folds.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		if err := flag.Set("rapid.checks", "20"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// feesTwice is the version of invoices before fixed: its fee rule counts a late
// fee twice.
type feesTwice struct{ invoices.Projection }

func (feesTwice) Version() int { return 1 }

func (feesTwice) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	var counted []eventstore.Decoded
	for _, d := range batch {
		counted = append(counted, d)
		if _, fee := d.Event.(invoice.LateFeeAdded); fee {
			counted = append(counted, d)
		}
	}
	return invoices.Projection{}.Apply(ctx, tx, counted)
}

// fixed is the version that counts it once.
type fixed struct{ invoices.Projection }

func (fixed) Version() int              { return 2 }
func (fixed) Before() runner.Projection { return feesTwice{} }

// deaf is a timeline that misses views and tells of fees twice.
type deaf struct{ timeline.Projection }

func (deaf) Version() int { return 1 }

func (deaf) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	var heard []eventstore.Decoded
	for _, d := range batch {
		switch d.Event.(type) {
		case invoice.Viewed:
		case invoice.LateFeeAdded:
			heard = append(heard, d, d)
		default:
			heard = append(heard, d)
		}
	}
	return timeline.Projection{}.Apply(ctx, tx, heard)
}

func migrated(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := postgres.ForTestWithTemplate(t, "migrated", func(url string) error {
		return database.Migrate(context.Background(), url)
	})
	pool, err := database.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

var builds atomic.Int64

// fill makes a build of the projection, as the runner would leave it at the
// position of the last event, and returns its schema.
func fill(ctx context.Context, t projectiontest.Fataler, pool *pgxpool.Pool, p runner.Projection, state string, events []eventstore.Decoded) string {
	t.Helper()
	schema := fmt.Sprintf("%s_v%d_%d", p.Name(), p.Version(), builds.Add(1))
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, statement := range []string{"CREATE SCHEMA " + schema, "SET LOCAL search_path = " + schema, p.Schema()} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		if wanted := projectiontest.Wanted(p, events); len(wanted) > 0 {
			if err := p.Apply(ctx, tx, wanted); err != nil {
				return err
			}
		}
		var at eventstore.Position
		if len(events) > 0 {
			at = events[len(events)-1].Record.Position
		}
		_, err := tx.Exec(ctx, `INSERT INTO runner.builds (projection, version, schema, state, commit_position, prepare_position)
			VALUES ($1, $2, $3, $4, $5, $6)`, p.Name(), p.Version(), schema, state, at.Commit, at.Prepare)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// drop makes room for the next builds.
func drop(ctx context.Context, t projectiontest.Fataler, pool *pgxpool.Pool, schemas ...string) {
	t.Helper()
	for _, schema := range schemas {
		if _, err := pool.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(ctx, "DELETE FROM runner.builds WHERE schema = $1", schema); err != nil {
			t.Fatal(err)
		}
	}
}
