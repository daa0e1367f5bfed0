package sqlprojection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
)

// live is a log and a runner that discovers what is installed.
func live(t *testing.T, url string) *projectiontest.Live {
	t.Helper()
	pool := open(t, url)
	catalog := &Catalog{
		Pool: pool, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Limits: Limits{Statement: 300 * time.Millisecond, Memory: "16MB", Disk: "64MB"},
	}
	return projectiontest.FollowOn(t, url, func(c *runner.Config) { c.Discover = catalog.Discover })
}

func migratedURL(t *testing.T) string {
	t.Helper()
	return postgres.ForTestWithTemplate(t, "sqlprojection", migrate)
}

// until waits until a query says true.
func until(t *testing.T, l *projectiontest.Live, what, query string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		var yes *bool
		err := l.Pool.QueryRow(ctx, query, args...).Scan(&yes)
		if err == nil && yes != nil && *yes {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s (last: %v)", what, err)
		}
	}
}

func value[T any](t *testing.T, l *projectiontest.Live, query string, args ...any) (v T) {
	t.Helper()
	if err := l.Pool.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func install(t *testing.T, l *projectiontest.Live, d *Definition) {
	t.Helper()
	if err := Install(t.Context(), l.Pool, d, "a test", false); err != nil {
		t.Fatal(err)
	}
}

// caughtUp waits for the version that requests read.
func caughtUp(t *testing.T, l *projectiontest.Live, name string, version int) {
	t.Helper()
	until(t, l, name+" is live and complete", `SELECT caught_up AND put_aside IS NULL FROM runner.builds
		WHERE projection = $1 AND version = $2 AND state = 'live'`, name, version)
}

func quarantined(t *testing.T, l *projectiontest.Live) []runner.Quarantined {
	t.Helper()
	held, err := runner.ListQuarantined(t.Context(), l.Pool, "bills", 10)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// bills is a small definition, which a test changes.
func bills(t *testing.T, change ...string) *Definition {
	t.Helper()
	source := strings.NewReplacer(change...).Replace(`
-- name: bills
-- version: 1
-- tables:
CREATE TABLE bill (
	invoice text PRIMARY KEY, business_id text NOT NULL, number bigint NOT NULL, paid bigint NOT NULL DEFAULT 0,
	_stream text NOT NULL, _position bigint NOT NULL);
CREATE INDEX bill_number ON bill (business_id, number);
-- on: InvoiceIssued
INSERT INTO bill (invoice, business_id, number, _stream, _position)
SELECT stream, business_id, 60 / ((data->>'number')::bigint - 2), stream, position FROM events;
-- on: InvoicePaymentReceived
UPDATE bill SET paid = paid + p.amount, _position = p.at
FROM (SELECT stream, sum((data->'received'->>'amount')::bigint) AS amount, max(position) AS at FROM events GROUP BY stream) p
WHERE invoice = p.stream`)
	d, err := Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// An installed projection is filled, followed and read like any other, without a
// restart; an event that it cannot apply stops one stream only; the next version
// takes its place; uninstalled, it leaves nothing.
func TestLifeOfAProjection(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) string{"superuser": migratedURL, "owner": ownedDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := live(t, url(t))
			mine, other := projectiontest.Sample()
			l.Append(t, mine)
			d := bills(t)
			install(t, l, d)
			caughtUp(t, l, "bills", 1)

			// Invoice 2 divides by zero: its stream waits.
			held := quarantined(t, l)
			if len(held) != 1 || held[0].Stream != invoice.Stream(projectiontest.DueID) || held[0].Held != 2 ||
				!strings.Contains(held[0].Error, "projection.sql:10:1: division by zero") {
				t.Errorf("in quarantine: %+v", held)
			}
			// What follows is live.
			last := l.Append(t, other, payment(projectiontest.ParksID, 100))
			if err := l.Runner.WaitFor(t.Context(), "bills", last); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%s:-60:12000 %s:60:100", projectiontest.PaidID, projectiontest.ParksID)
			if got := billsOf(t, l, projectiontest.BusinessID); got != want {
				t.Errorf("bills: %s, want %s", got, want)
			}
			if got := billsOf(t, l, projectiontest.OtherID); got != "" {
				t.Errorf("another business reads %s", got)
			}

			install(t, l, bills(t, "version: 1", "version: 2", " - 2)", ")"))
			caughtUp(t, l, "bills", 2)
			want = fmt.Sprintf("%s:60:12000 %s:30:1000 %s:20:100", projectiontest.PaidID, projectiontest.DueID, projectiontest.ParksID)
			if got := billsOf(t, l, projectiontest.BusinessID); got != want {
				t.Errorf("version 2: %s, want %s", got, want)
			}
			if err := l.Runner.Rebuild(t.Context(), "bills"); err != nil {
				t.Error(err)
			}
			if err := Install(t.Context(), l.Pool, d, "", false); !errors.Is(err, ErrVersion) {
				t.Errorf("going back: %v", err)
			}
			if found, err := Uninstall(t.Context(), l.Pool, "bills"); err != nil || !found {
				t.Errorf("uninstalled: %v, %v", found, err)
			}
			if found, err := Uninstall(t.Context(), l.Pool, "bills"); err != nil || found {
				t.Errorf("uninstalled again: %v, %v", found, err)
			}
			left := value[string](t, l, `SELECT concat((SELECT count(*) FROM pg_class WHERE relname LIKE 'bill%'),
				(SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'bills%'), (SELECT count(*) FROM runner.builds),
				(SELECT count(*) FROM pg_roles WHERE rolname LIKE 'portal_sql_%_bills'
				   AND rolname LIKE '%' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '%'))`)
			if left != "0000" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

func payment(id string, amount int64) *projectiontest.History {
	h := &projectiontest.History{Business: projectiontest.BusinessID}
	euros := money.Money{Amount: amount, Currency: "EUR"}
	h.Add(projectiontest.Sam, invoice.Stream(id), invoice.PaymentReceived{
		CustomerID: projectiontest.ParkID, PaymentID: domaintest.ID(90), Received: euros, Allocated: euros, At: domaintest.Noon,
	})
	return h
}

// billsOf is what a business reads of its bills.
func billsOf(t *testing.T, l *projectiontest.Live, business string) string {
	t.Helper()
	var rows *string
	question := &pgx.Batch{}
	question.Queue(`SELECT string_agg(concat(substr(invoice, 9), ':', number, ':', paid), ' ' ORDER BY invoice) FROM bill`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&rows) })
	if err := l.Readers.Ask(t.Context(), business, question); err != nil {
		t.Fatal(err)
	}
	if rows == nil {
		return ""
	}
	return *rows
}

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
