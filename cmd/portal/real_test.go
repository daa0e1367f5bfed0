package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"portal.example/internal/importing"
	"portal.example/internal/postgres"
)

// realHistory is one of the real histories, which are not part of the project.
func realHistory(t *testing.T, name string) *os.File {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the real history %s is not part of the project and not at %s", name, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// After the import of the real fines the dashboard agrees, to the cent, with SQL
// over the rows of the file.
func TestTheDashboardAgreesWithTheFile(t *testing.T) {
	t.Parallel()
	want := moneyOfFile(t, realHistory(t, "fines.csv.gz"))
	file, err := importing.Read(realHistory(t, "fines.csv.gz"), importing.Fines)
	if err != nil {
		t.Fatal(err)
	}
	p := serveTest(t)
	if _, _, err := p.server.importer(p.business).Run(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	head, err := p.server.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.server.runner.WaitFor(t.Context(), "invoices", head); err != nil {
		t.Fatal(err)
	}
	body := p.send(http.MethodGet, "/api/v1/dashboards/money", p.office, "").must(http.StatusOK).body
	got := fmt.Sprint(body["invoices"], " ", body["paid_in_full"], " ", body["part_paid"])
	for _, sum := range []string{"billed", "paid", "credit", "outstanding"} {
		money, _ := body[sum].(map[string]any)
		got += fmt.Sprintf(" %.0f", money["amount"])
	}
	if got != want {
		t.Errorf("the dashboard says %s, SQL over the file %s", got, want)
	}
}

// moneyOfFile has the counts and sums in the order in which money.sql has them.
func moneyOfFile(t *testing.T, f *os.File) string {
	t.Helper()
	ctx := t.Context()
	query, err := os.ReadFile("../../internal/importing/testdata/money.sql")
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, postgres.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `CREATE TABLE raw (case_id text, seq int, activity text, date date,
		amount_cents bigint, expense_cents bigint, paid_cents bigint)`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().CopyFrom(ctx, unzipped, `COPY raw FROM STDIN (FORMAT csv, HEADER)`); err != nil {
		t.Fatal(err)
	}
	var n [7]int64
	if err := conn.QueryRow(ctx, string(query)).Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %d %d %d %d %d %d", n[0], n[1], n[2], n[3], n[4], n[5], n[6])
}
