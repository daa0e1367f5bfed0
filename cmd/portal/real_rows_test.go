package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// refusedRows compares the file of refused rows with the payments of nothing.
func (h *histories) refusedRows(name string) {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.data, "imports", name))
	if err != nil {
		h.t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, row := range rows[1:] { // line, reason, and the row itself
		if row[1] != "amount: must be more than zero" || row[len(row)-1] != "0" {
			h.t.Errorf("refused %v", row)
		}
	}
	if want := query[int](h.site, `SELECT count(*) FROM raw.fines WHERE paid_cents = 0`); len(rows)-1 != want {
		h.t.Errorf("%d rows are kept, want %d", len(rows)-1, want)
	}
}

// money compares the dashboard with a sum of the file, to the cent.
func (h *histories) money(url string) {
	h.t.Helper()
	sum, err := os.ReadFile("../../internal/importing/testdata/money.sql")
	if err != nil {
		h.t.Fatal(err)
	}
	var n [7]int64
	err = pgx.BeginFunc(h.t.Context(), h.rows, func(tx pgx.Tx) error {
		if _, err := tx.Exec(h.t.Context(), `CREATE VIEW pg_temp.raw AS SELECT "case" AS case_id, * FROM raw.fines`); err != nil {
			return err
		}
		if err := tx.QueryRow(h.t.Context(), string(sum)).Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]); err != nil {
			return err
		}
		_, err := tx.Exec(h.t.Context(), `DROP VIEW pg_temp.raw`)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	want := strings.Trim(fmt.Sprint(n), "[]")
	body := h.at(url).send(http.MethodGet, "/api/v1/dashboards/money", h.owner, "").must(http.StatusOK).body
	got := fmt.Sprint(body["invoices"], " ", body["paid_in_full"], " ", body["part_paid"])
	for _, sum := range []string{"billed", "paid", "credit", "outstanding"} {
		money, _ := body[sum].(map[string]any)
		got += fmt.Sprintf(" %.0f", money["amount"])
	}
	if got != want {
		h.t.Errorf("the dashboard says %s, SQL over the file %s", got, want)
	}
}

// invoices demands that numbers have no gap, that each case has one invoice, and
// that events say when it happened and when the portal learnt of it.
func (h *histories) invoices() {
	h.t.Helper()
	h.none("cases are without their one invoice", `
		SELECT c."case" FROM (SELECT DISTINCT "case" FROM raw.fines) c
		LEFT JOIN read.invoices i ON i.reference = c."case" GROUP BY 1 HAVING count(i.invoice_id) <> 1`)
	h.none("numbers are not in their place", `
		SELECT number FROM (SELECT number, row_number() OVER (ORDER BY number) AS place FROM read.invoices) n WHERE number <> place`)
	h.same("payments", `SELECT "case", date::timestamp, paid_cents FROM raw.fines WHERE paid_cents > 0`, `
		SELECT i.reference, e.occurred_at AT TIME ZONE 'Europe/Rome', (e.args #>> '{amount,amount}')::bigint
		FROM read.timeline e JOIN read.invoices i ON i.invoice_id = e.args->>'invoiceId' WHERE e.type = 'PaymentRecorded'`)
	h.none("events have not both their times", `
		SELECT e.type FROM read.timeline e
		WHERE origin = 'import' AND (occurred_at > '2013-01-01' OR recorded_at < now() - interval '1 hour')`)
}

// requests compares every step of every case with its row, and the timeline of
// the longest case as people read it.
func (h *histories) requests(url string) {
	h.t.Helper()
	h.same("steps of requests", `SELECT "case", at, activity, resource, "group", channel FROM raw.requests`, `
		SELECT r.reference, e.occurred_at, CASE e.type WHEN 'RequestFiled' THEN 'Confirmation of receipt' ELSE e.args->>'step' END,
			e.args->>'handler', coalesce(e.args->>'team', 'EMPTY'), r.channel
		FROM read.timeline e JOIN read.requests r ON r.request_id = e.record_id`)

	longest := query[string](h.site, `SELECT "case" FROM raw.requests GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1`)
	id := query[string](h.site, `SELECT request_id FROM read.requests WHERE reference = $1`, longest)
	body := h.at(url).send(http.MethodGet, "/api/v1/requests/"+id+"/timeline?limit=100", h.owner, "").must(http.StatusOK).body
	var got, want []string
	for _, item := range body["items"].([]any) {
		got = append(got, fmt.Sprint(item.(map[string]any)["sentence"]))
	}
	rows, err := h.rows.Query(h.t.Context(), `SELECT format('“%s” by %s', activity, resource) FROM raw.requests WHERE "case" = $1 ORDER BY seq`, longest)
	if err != nil {
		h.t.Fatal(err)
	}
	if want, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		h.t.Fatal(err)
	}
	if len(got) != len(want) {
		h.t.Fatalf("%s has %d lines of %d rows: %s", longest, len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want[1:] { // the first is the request itself
		if !strings.Contains(got[i+1], want[i+1]) {
			h.t.Errorf("line %d of %s reads %q, want %q in it", i+1, longest, got[i+1], want[i+1])
		}
	}
}

// same demands that the file and the read models say the same.
func (h *histories) same(what, written, told string) {
	h.t.Helper()
	h.none(what+" are in the file alone", `(`+written+`) EXCEPT ALL (`+told+`)`)
	h.none(what+" are in the read models alone", `(`+told+`) EXCEPT ALL (`+written+`)`)
}

// none demands that a query finds nothing.
func (h *histories) none(what, sql string) {
	h.t.Helper()
	var count int
	var example *string
	err := h.rows.QueryRow(h.t.Context(), `SELECT count(*), min(q::text) FROM (`+sql+`) q`).Scan(&count, &example)
	if err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	if count > 0 {
		h.t.Errorf("%d %s, such as %s", count, what, *example)
	}
}

// nothingInTheClear looks for names in the log's files as they are on disk.
func (h *histories) nothingInTheClear() {
	h.t.Helper()
	found := map[string]bool{}
	files := os.DirFS(h.data)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path, "imports/") {
			return err
		}
		text, err := fs.ReadFile(files, path)
		for _, word := range []string{"Customer of", "Fine A", "InvoiceIssued"} {
			if bytes.Contains(text, []byte(word)) {
				found[word] = true
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(found) != 1 || !found["InvoiceIssued"] { // which shows that the files can be searched
		h.t.Errorf("the files of the log have %v in the clear", found)
	}
}

// people demands that every customer has the name from the log, and each a key.
func (h *histories) people() {
	h.t.Helper()
	h.same("customers", `
		SELECT "case", 'Customer of ' || "case" FROM (SELECT "case" FROM raw.fines UNION SELECT "case" FROM raw.requests) c`,
		`SELECT reference, name FROM read.customers`)
	if keys := query[int](h.site, `SELECT count(*) FROM keys.subjects WHERE wrapped IS NOT NULL`); keys < 11_000 {
		h.t.Errorf("%d keys", keys)
	}
}
