package sqlprojection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
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
