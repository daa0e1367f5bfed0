package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"portal.example/internal/database"
	"portal.example/internal/postgres"
)

func withLimit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(ctx context.Context, t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := database.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func migrated(t *testing.T) string {
	t.Helper()
	return postgres.ForTestWithTemplate(t, "database", func(url string) error {
		return database.Migrate(context.Background(), url)
	})
}

func exec(ctx context.Context, t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Roles are the cluster's, so that databases on it get in each other's way too.
func TestManyInstancesMigrateTogether(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	var group errgroup.Group
	for range 3 {
		url := postgres.ForTest(t)
		for range 3 {
			group.Go(func() error { return database.Migrate(ctx, url) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestMigratingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	url := migrated(t)
	pool := open(ctx, t, url)
	exec(ctx, t, pool, `INSERT INTO runner.builds (projection, version, schema, state) VALUES ('m', 1, 'm_v1', 'live')`)
	if err := database.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := pool.QueryRow(ctx, `SELECT count(*) FROM runner.builds`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d builds, %v", n, err)
	}
}

func TestAUserWithoutRightsIsToldWhatIsMissing(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	url := postgres.ForTest(t)
	pool := open(ctx, t, url)
	user := "poor_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(ctx, t, pool, `CREATE ROLE `+user+` LOGIN PASSWORD 'hunter2'`)
	poor := strings.Replace(url, "postgres@", user+":hunter2@", 1)
	err := database.Migrate(ctx, poor)
	if err == nil || !strings.Contains(err.Error(), "CREATEROLE") {
		t.Errorf("error %v", err)
	}
}

func readers(ctx context.Context, t *testing.T, pool *pgxpool.Pool) *database.Readers {
	t.Helper()
	r, err := database.NewReaders(ctx, pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestAReaderCannotWriteNorSeeMore(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	pool := open(ctx, t, migrated(t))
	exec(ctx, t, pool, `CREATE TABLE read.note (text text); GRANT ALL ON read.note TO portal_reader`)
	r := readers(ctx, t, pool)
	for statement, code := range map[string]string{
		`INSERT INTO note VALUES ('x')`:   "25006", // read only
		`SELECT * FROM identity.api_keys`: "42501", // no right
		`SELECT * FROM keys.subjects`:     "42501",
		`SELECT * FROM runner.builds`:     "42501",
		`SELECT * FROM jobs.river_job`:    "42501",
		`SET TRANSACTION READ WRITE`:      "25001", // too late
	} {
		question := &pgx.Batch{}
		question.Queue(`SELECT * FROM freshness, note`)
		question.Queue(statement)
		tx, err := r.Begin(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, `SELECT * FROM freshness, note`); err != nil {
			t.Errorf("reading: %v", err)
		}
		_, err = tx.Exec(ctx, statement)
		for way, err := range map[string]error{"by Begin": err, "by Ask": r.Ask(ctx, "acme", question)} {
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != code {
				t.Errorf("%s %s: %v", statement, way, err)
			}
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
	}
	// The other connections are as they were.
	exec(ctx, t, pool, `INSERT INTO read.note VALUES ('x')`)
}

func TestALookIsAtOneMomentAndOfOneBusiness(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	pool := open(ctx, t, migrated(t)+"&pool_max_conns=1") // every look has the same connection
	exec(ctx, t, pool, `CREATE TABLE read.note (text text); GRANT SELECT ON read.note TO portal_reader`)
	r := readers(ctx, t, pool)

	var business, isolation string
	var begun, still time.Time
	question := &pgx.Batch{}
	question.Queue(`SELECT current_setting('portal.business'), current_setting('transaction_isolation'), now()`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&business, &isolation, &begun) })
	question.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&still) })
	if err := r.Ask(ctx, "acme", question); err != nil {
		t.Fatal(err)
	}
	if business != "acme" || isolation != "repeatable read" || !begun.Equal(still) { // now is when the transaction began
		t.Errorf("%q, %s, at %s and %s", business, isolation, begun, still)
	}

	tx, err := r.Begin(ctx, "bolt")
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	exec(ctx, t, pool, `INSERT INTO read.note VALUES ('x')`)
	if after := count(); after != before {
		t.Errorf("%d notes became %d", before, after)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	// Nobody's business stays with the connection.
	question = &pgx.Batch{}
	question.Queue(`SELECT 1/0`)
	if err := r.Ask(ctx, "acme", question); err == nil {
		t.Error("no error")
	}
	if tx, err = r.Begin(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if err := tx.QueryRow(ctx, `SELECT current_setting('portal.business')`).Scan(&business); err != nil || business != "x" {
		t.Errorf("%q, %v", business, err)
	}
}

func TestABusinessThatIsNoID(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	r := readers(ctx, t, open(ctx, t, migrated(t)))
	for _, business := range []string{"", "a'; DROP SCHEMA read; --", "é", strings.Repeat("x", 65), "a b", "a\x00"} {
		question := &pgx.Batch{}
		question.Queue(`SELECT 1`).QueryRow(func(pgx.Row) error {
			t.Errorf("read for %q", business)
			return nil
		})
		if r.Ask(ctx, business, question) == nil {
			t.Errorf("no error for %q", business)
		}
		if _, err := r.Begin(ctx, business); err == nil {
			t.Errorf("a look for %q", business)
		}
	}
}

func TestAnUnreadableURLIsNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@host:port/db", "postgres://u:hunter2@h/db?sslmode=hunter2"} {
		_, err := database.Open(t.Context(), url)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
		if err := database.Migrate(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	pool := open(ctx, t, migrated(t))
	exec(ctx, t, pool, `CREATE TABLE public.thing (extra text DEFAULT 'by default', "Name" text, n bigint);
		ALTER TABLE public.thing ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
		CREATE POLICY runner ON public.thing TO portal_runner USING (true);
		GRANT ALL ON public.thing TO portal_runner`)
	row := "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" +
		"\x00\x02" + "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07" + "\x00\x00\x00\x03row" + "\xff\xff"
	for _, role := range []string{"postgres", "portal_runner"} { // past row-level security, and bound by it
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL search_path = public; SET LOCAL ROLE `+role); err != nil {
				return err
			}
			for range 2 { // twice in a transaction
				if err := database.Copy(ctx, tx, "thing", []string{"n", "Name"}, strings.NewReader(row)); err != nil {
					return err
				}
			}
			var got string
			if err := tx.QueryRow(ctx, `DELETE FROM thing RETURNING (SELECT string_agg(thing::text, ' ') FROM thing)`).
				Scan(&got); err != nil {
				return err
			}
			if want := `("by default",row,7) ("by default",row,7)`; got != want {
				t.Errorf("as %s: %s", role, got)
			}
			return nil
		})
		if err != nil {
			t.Errorf("as %s: %v", role, err)
		}
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			return database.Copy(ctx, tx, "thing", []string{"n"}, strings.NewReader(row))
		})
		if err == nil {
			t.Error("too many columns went in")
		}
	}
}
