package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestDatabaseVariable names a server to use instead of a private one: the URL
// of a database on it, of a user that may create databases. What the tests make
// there has names that begin with portal_; templates stay behind.
const TestDatabaseVariable = "PORTAL_TEST_DATABASE"

// testLimit bounds each step of making a database for a test.
const testLimit = time.Minute

// ForTest returns the URL of a database that is this test's own, empty, and
// gone after it. All tests of a binary share one server, started when the
// first one asks and ended with the binary.
func ForTest(t testing.TB) string {
	t.Helper()
	return testDatabase(t, "")
}

// ForTestWithTemplate is ForTest with the database migrated: migrate runs once
// for each name in a test binary, and every test gets a clone of its result.
// It must leave no connection open.
func ForTestWithTemplate(t testing.TB, name string, migrate func(url string) error) string {
	t.Helper()
	once, _ := templates.LoadOrStore(name, &template{})
	database, err := once.(*template).get(t.Context(), migrate)
	if err != nil {
		t.Fatalf("template %s: %v", name, err)
	}
	return testDatabase(t, database)
}

var templates sync.Map // name → *template

type template struct {
	once     sync.Once
	database string
	err      error
}

func (tm *template) get(ctx context.Context, migrate func(url string) error) (string, error) {
	tm.once.Do(func() {
		tm.database = freshName("template")
		if tm.err = onTestServer(ctx, "CREATE DATABASE "+quote(tm.database)); tm.err != nil {
			return
		}
		var url string
		if url, tm.err = testURL(tm.database); tm.err == nil {
			tm.err = migrate(url)
		}
	})
	return tm.database, tm.err
}

func testDatabase(t testing.TB, template string) string {
	t.Helper()
	database := freshName("test")
	create := "CREATE DATABASE " + quote(database)
	if template != "" {
		create += " TEMPLATE " + quote(template)
	}
	if err := onTestServer(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// By now the test's own context is cancelled.
		err := onTestServer(context.Background(), "DROP DATABASE "+quote(database)+" WITH (FORCE)")
		if err != nil {
			t.Error(err)
		}
	})
	url, err := testURL(database)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func onTestServer(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	url, err := testURL("")
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// testURL is the URL of a database on the tests' server; without a name, of the
// one to give orders to the server from.
func testURL(database string) (string, error) {
	if named := os.Getenv(TestDatabaseVariable); named != "" {
		u, err := url.Parse(named)
		if err != nil {
			return "", fmt.Errorf("%s is no URL", TestDatabaseVariable) // err would show the password
		}
		if database != "" {
			u.Path = "/" + database
		}
		return u.String(), nil
	}
	server, err := sharedServer()
	if err != nil {
		return "", err
	}
	return server.URL(cmp.Or(database, superuser)), nil
}

var sharedServer = sync.OnceValues(func() (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	return Start(ctx, Options{Settings: map[string]string{"max_connections": "300"}})
})

func freshName(prefix string) string {
	return "portal_" + prefix + "_" + strings.ToLower(rand.Text())
}

func quote(identifier string) string {
	return pgx.Identifier{identifier}.Sanitize()
}
