package main

import (
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

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
	h.examples()
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
	ctx, cancel := context.WithTimeout(h.t.Context(), 3*time.Minute)
	defer cancel()
	sub := h.log.Subscribe(ctx, eventstore.SubscribeOptions{})
	defer sub.Close()
	for seen := 0; seen < 30_000; {
		notices, err := sub.NextBatch(ctx, 1000)
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
