package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/importing"
)

// The whole of both real histories, through the program as people run it: with
// a kill in the middle of the import, and with all read models dropped and
// rebuilt. What comes out is compared with SQL over the rows of the files.
func TestTheRealHistories(t *testing.T) {
	t.Parallel()
	fines, requests := realHistory(t, "fines.csv.gz"), realHistory(t, "requests.csv.gz")
	data := t.TempDir()
	h := &histories{site: newSite(t, plain(t), migratedDatabase(t), "PORTAL_DATA="+data), data: data}
	h.load("fines", fines, `"case" text, seq int, activity text, date date,
		amount_cents bigint, expense_cents bigint, paid_cents bigint`)
	h.load("requests", requests, `"case" text, seq int, activity text, at timestamptz, resource text, "group" text,
		channel text, department text, deadline timestamptz, enddate timestamptz`)
	h.open()

	h.killInTheMiddle(fines)
	server, url := h.serveOn()
	h.importTwice("fines", fines, query[int](h.site, `SELECT count(*) FROM raw.fines WHERE paid_cents = 0`))
	h.refusedRows("fines.csv.gz.refused.csv")
	h.importTwice("requests", requests, 0)
	h.untilBuilt(2 * time.Minute)
	h.money(url)
	h.invoices()
	h.requests(url)
	events := h.count("Customer of", "Fine A", "Application case")

	server.stop()
	h.nothingInTheClear()
	h.dropReadModels()
	_, url = h.serveOn() // whose cache of keys is cold
	h.untilBuilt(2 * time.Minute)
	t.Logf("rebuilt %d rows from %v", h.sameAsKept(), events)
	h.money(url)
	h.people()
}

// realHistory is where one of the real histories is, which are not part of the
// project.
func realHistory(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the real history %s is not part of the project and not at %s", name, path)
	}
	return path
}

// histories is a site whose database also has the files as they are, in schema
// raw.
type histories struct {
	*site
	data string
}

func (h *histories) load(table, path, columns string) {
	h.t.Helper()
	h.exec(`CREATE SCHEMA IF NOT EXISTS raw; CREATE TABLE raw.` + table + ` (` + columns + `)`)
	f, err := os.Open(path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		h.t.Fatal(err)
	}
	conn, err := h.rows.Acquire(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().CopyFrom(h.t.Context(), unzipped, `COPY raw.`+table+` FROM STDIN (FORMAT csv, HEADER)`); err != nil {
		h.t.Fatal(err)
	}
}

// serveOn starts the portal and looks into its log.
func (h *histories) serveOn() (*process, string) {
	h.t.Helper()
	server, url := h.serve()
	access, err := node.Discover(h.data)
	if err != nil {
		h.t.Fatal(err)
	}
	h.connect(access.ConnectionString())
	return server, url
}

// killInTheMiddle kills an import, and the portal with its log as well.
func (h *histories) killInTheMiddle(path string) {
	h.t.Helper()
	server, _ := h.serveOn()
	program := h.program.start(h.t, h.env, "import", "fines", path, "--business", "acme")
	sub := h.log.Subscribe(h.t.Context(), eventstore.SubscribeOptions{})
	defer sub.Close()
	for seen := 0; seen < 30_000; {
		notices, err := sub.NextBatch(h.t.Context(), 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		seen += len(notices)
	}
	program.kill()
	server.kill()
	if status := program.command.ProcessState.ExitCode(); status != -1 {
		h.t.Fatalf("the import was over before it could be killed, with status %d", status)
	}
}

// importTwice brings a file in to its end. After that there is nothing to add.
func (h *histories) importTwice(kind, path string, refused int) {
	h.t.Helper()
	args := []string{"import", kind, path, "--business", "acme"}
	first := tellJSON[importing.Summary](h.t, h.program, h.env, args...)
	rows := query[int](h.site, `SELECT count(*) FROM raw.`+kind)
	if first.Read != rows || first.Refused != refused || first.Imported != rows-refused || first.Events == 0 {
		h.t.Errorf("%s: %+v of %d rows, %d of them not good", kind, first, rows, refused)
	}
	second := tellJSON[importing.Summary](h.t, h.program, h.env, args...)
	if first.Events = 0; second != first {
		h.t.Errorf("%s: a second run did %+v", kind, second)
	}
}

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
