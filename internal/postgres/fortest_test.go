package postgres

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestForTestGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	var database string
	t.Run("inner", func(t *testing.T) {
		url := ForTest(t)
		query[string](ctx, t, url, "CREATE TABLE note (text text)")
		database = query[string](ctx, t, url, "SELECT current_database()")
	})

	url := ForTest(t)
	if got := query[int](ctx, t, url, "SELECT count(*) FROM pg_tables WHERE tablename = 'note'"); got != 0 {
		t.Error("the other test's table is here")
	}
	if got := query[int](ctx, t, url, "SELECT count(*) FROM pg_database WHERE datname = '"+database+"'"); got != 0 {
		t.Error("the database of a finished test is still there")
	}
}

func TestForTestWithTemplateMigratesOnce(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	name := rand.Text() // a name of this run: -count repeats the test in one process
	var migrations atomic.Int32
	migrate := func(url string) error {
		migrations.Add(1)
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE TABLE note AS SELECT 'migrated' AS text")
		return errors.Join(err, conn.Close(ctx))
	}
	t.Run("clones", func(t *testing.T) {
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				url := ForTestWithTemplate(t, name, migrate)
				if got := query[string](ctx, t, url, "UPDATE note SET text = 'changed' RETURNING text"); got != "changed" {
					t.Errorf("note is %q", got)
				}
			})
		}
	})
	if got := query[string](ctx, t, ForTestWithTemplate(t, name, migrate), "SELECT text FROM note"); got != "migrated" {
		t.Errorf("a clone's change reached the template: note is %q", got)
	}
	if got := migrations.Load(); got != 1 {
		t.Errorf("%d migrations", got)
	}
}

func TestForTestOnANamedServer(t *testing.T) {
	s := startServer(t, Options{})
	t.Setenv(TestDatabaseVariable, s.TCPURL("postgres"))
	ctx := withLimit(t)
	url := ForTest(t)
	database := query[string](ctx, t, url, "SELECT current_database()")
	if got := query[int](ctx, t, s.URL("postgres"), "SELECT count(*) FROM pg_database WHERE datname = '"+database+"'"); got != 1 {
		t.Errorf("the database is not on the server that %s names", TestDatabaseVariable)
	}
}

func TestUnusableNamedServerIsNotShown(t *testing.T) {
	t.Setenv(TestDatabaseVariable, "postgres://portal:hunter2@host:port/db")
	_, err := testURL("any")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), TestDatabaseVariable) {
		t.Errorf("error %v", err)
	}
}
