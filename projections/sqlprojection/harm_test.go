package sqlprojection

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/projections/projectiontest"
)

// Postgres quotes the row that violates a constraint, and errors are kept where
// names must not be.
func TestAnErrorQuotesNoRow(t *testing.T) {
	t.Parallel()
	l := live(t, migratedURL(t))
	mine, _ := projectiontest.Sample()
	l.Append(t, mine)
	d := bills(t, "DEFAULT 0", "DEFAULT 0 CHECK (paid < 100)")
	// It does not where rows are secured by business, as long as they are.
	unsecured := &pgconn.PgError{Code: "23514", Message: "violates", Detail: "Failing row contains (Dana Reyes)."}
	if err := d.failed(t.Context(), &d.statements[0], unsecured); strings.Contains(err.Error(), "Dana") {
		t.Error(err)
	}
	install(t, l, d)
	caughtUp(t, l, "bills", 1)
	held := 0
	for _, q := range quarantined(t, l) {
		if strings.Contains(q.Error, "violates check constraint") {
			held++
		}
		if strings.Contains(q.Error, "Failing row") || strings.Contains(q.Error, projectiontest.BusinessID) {
			t.Errorf("%s: %s", q.Stream, q.Error)
		}
	}
	if held == 0 {
		t.Error("nothing violated the constraint")
	}
}

// A statement that comes to no end, which no check can rule out, is stopped, tried
// again with less, and put aside, while others go on; installing its next version
// starts it again.
func TestAnEndlessStatementIsPutAside(t *testing.T) {
	t.Parallel()
	l := live(t, migratedURL(t))
	mine, _ := projectiontest.Sample()
	l.Append(t, mine)
	install(t, l, bills(t, "/ ((data->>'number')::bigint - 2)",
		"+ (WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i FROM n) SELECT sum(i) FROM n)"))
	other := bills(t, "bills", "others", "bill", "other", " - 2)", ")")
	install(t, l, other)
	caughtUp(t, l, "others", 1)
	until(t, l, "it is put aside", `SELECT put_aside LIKE '%projection.sql:10:1%' FROM runner.builds WHERE projection = 'bills'`)
	last := l.Append(t, payment(projectiontest.ParksID, 100))
	if err := l.Runner.WaitFor(t.Context(), "others", last); err != nil {
		t.Fatal(err)
	}
	statuses, err := l.Runner.Status(t.Context())
	if err != nil || len(statuses) != 2 || statuses[0].PutAside == "" || statuses[1].PutAside != "" {
		t.Errorf("status: %+v, %v", statuses, err)
	}
	install(t, l, bills(t, "version: 1", "version: 2", " - 2)", ")"))
	caughtUp(t, l, "bills", 2)
}

// Whatever a statement would do, its role can do nothing to what is not its own.
func TestTheRoleIsALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	l := live(t, migratedURL(t))
	install(t, l, bills(t))
	caughtUp(t, l, "bills", 1)
	role := value[string](t, l, `SELECT role FROM runner.sql_projections`)
	for _, statement := range []string{
		`SELECT * FROM runner.builds`, `SELECT * FROM read.freshness`, `SELECT * FROM keys.subjects`, `DROP SCHEMA runner CASCADE`,
		`DROP TABLE bills_v1.bill`, `ALTER TABLE bills_v1.bill DISABLE ROW LEVEL SECURITY`, `CREATE TABLE bills_v1.more (n int)`,
		`TRUNCATE bills_v1.bill`, `SELECT pg_read_file('/etc/passwd')`, `SELECT lo_create(0) FROM pg_authid`,
		`CREATE SCHEMA mine`, `ALTER ROLE ` + role + ` LOGIN`,
	} {
		err := pgx.BeginFunc(t.Context(), l.Pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE `+pgx.Identifier{role}.Sanitize()); err != nil {
				t.Fatal(err)
			}
			_, err := tx.Exec(t.Context(), statement)
			return err
		})
		if err == nil {
			t.Errorf("%s was done", statement)
		}
	}
}

// ownedDatabase is one that belongs to a user without further rights but
// CREATEROLE.
func ownedDatabase(t *testing.T) string {
	t.Helper()
	url := postgres.ForTest(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	user := "owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := conn.Exec(t.Context(), fmt.Sprintf(`CREATE ROLE %[1]s LOGIN CREATEROLE PASSWORD 'test'; ALTER DATABASE %[2]s OWNER TO %[1]s`,
		user, pgx.Identifier{conn.Config().Database}.Sanitize())); err != nil {
		t.Fatal(err)
	}
	owned := strings.Replace(url, "postgres://postgres@", "postgres://"+user+":test@", 1)
	if owned == url {
		t.Fatal("cannot name the owner in the URL")
	}
	if err := database.Migrate(t.Context(), owned); err != nil {
		t.Fatal(err)
	}
	return owned
}

// An installed projection that cannot run, as after another version of the
// program, or whose tables cannot be made, is nobody else's trouble.
func TestABrokenDefinitionHarmsNobody(t *testing.T) {
	t.Parallel()
	l := live(t, migratedURL(t))
	install(t, l, bills(t))
	if _, err := l.Pool.Exec(t.Context(), `
		INSERT INTO runner.sql_projections SELECT 'unreadable', 1, 'no SQL', role, false, now(), '' FROM runner.sql_projections;
		INSERT INTO runner.sql_projections SELECT 'impossible', 1,
			replace(replace(source, 'name: bills', 'name: impossible'), 'business_id text NOT NULL', 'business_id json'), role, false, now(), ''
		FROM runner.sql_projections WHERE name = 'bills'`); err != nil {
		t.Fatal(err)
	}
	mine, _ := projectiontest.Sample()
	last := l.Append(t, mine)
	caughtUp(t, l, "bills", 1)
	if err := l.Runner.WaitFor(t.Context(), "bills", last); err != nil {
		t.Error(err)
	}
	if n := value[int](t, l, `SELECT count(*) FROM runner.builds`); n != 1 {
		t.Errorf("%d builds", n)
	}
}
