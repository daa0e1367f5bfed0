package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"portal.example/internal/exporting"
)

// manifestIn is a dataset's manifest, nil while there is none.
func manifestIn(t *testing.T, dir, dataset string) *exporting.Manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, dataset+".manifest.json"))
	if err != nil {
		return nil
	}
	m := &exporting.Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// contentOf is what the files of a dataset hold: their bytes, of Parquet its rows.
func contentOf(t *testing.T, dir, dataset string) string {
	t.Helper()
	m := manifestIn(t, dir, dataset)
	if m == nil || !m.Complete {
		t.Fatalf("%s in %s: %+v", dataset, dir, m)
	}
	var all bytes.Buffer
	for _, f := range m.Files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(text)) != f.Bytes {
			t.Errorf("%s has %d bytes, and the manifest says %d", f.Name, len(text), f.Bytes)
		}
		if m.Format != exporting.Parquet {
			all.Write(text)
			continue
		}
		reader := parquet.NewGenericReader[struct {
			ID   string `parquet:"unit_id,optional"`
			Name string `parquet:"name,optional"`
			Pos  string `parquet:"position,optional"`
		}](bytes.NewReader(text))
		if reader.NumRows() != f.Rows {
			t.Errorf("%s has %d rows, and the manifest says %d", f.Name, reader.NumRows(), f.Rows)
		}
		rows := make([]struct {
			ID   string `parquet:"unit_id,optional"`
			Name string `parquet:"name,optional"`
			Pos  string `parquet:"position,optional"`
		}, f.Rows)
		for read := 0; read < len(rows); {
			n, err := reader.Read(rows[read:])
			if read += n; n == 0 {
				t.Fatal(err)
			}
		}
		for _, row := range rows {
			all.WriteString(row.ID + row.Name + row.Pos + "\n")
		}
	}
	return all.String()
}

// manyUnits is more than an export writes between two checkpoints.
const manyUnits = 130_000

// haveUnits fills a read model as no log of a test could.
func (p *running) haveUnits() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	var schema string
	if err := p.server.pool.QueryRow(ctx, `SELECT schema FROM runner.builds WHERE projection = 'customers' AND state = 'live'`).
		Scan(&schema); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.server.pool.Exec(ctx, `
		INSERT INTO `+schema+`.units SELECT $1, 'customer', 'property', 'unit-' || n, '=Unit ' || n, now(), 'customer-1', n
		FROM generate_series(1, $2::int) AS n`, p.business, manyUnits); err != nil {
		p.t.Fatal(err)
	}
}

// Killed in the middle and started again, an export is what it would
// have been.
func TestAKilledExportGoesOn(t *testing.T) {
	t.Parallel()
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	p := serveWith(t, cfg)
	p.get("/customers", p.office, p.post("/customers", p.office, `{"name":"Ann"}`).must(201)).must(200)
	p.haveUnits()
	env := []string{"DATABASE_URL=" + cfg.database, "PORTAL_DATA=" + cfg.data}
	portal := plain(t)
	for _, f := range exporting.Formats {
		whole, killed := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "killed")
		args := []string{"export", "units", "--business", "acme", "--personal", "--format", string(f), "--output"}
		summary := tellJSON[struct{ Items []exportedTable }](t, portal, env, append(args, whole)...)
		if len(summary.Items) != 1 || summary.Items[0].Total != manyUnits || summary.Items[0].AsOf.IsZero() || summary.Items[0].Position == "" {
			t.Errorf("%s: %+v", f, summary)
		}
		running := portal.start(t, env, append(args, killed)...)
		runUntil(t, running, func() bool { m := manifestIn(t, killed, "units"); return m != nil && m.Rows > 0 })
		running.kill()
		if m := manifestIn(t, killed, "units"); m.Complete {
			t.Errorf("%s: the export was not killed in the middle", f)
		}
		portal.tell(t, env, append(args, killed)...)
		want, got := contentOf(t, whole, "units"), contentOf(t, killed, "units")
		if got != want || strings.Count(want, "\n") < manyUnits {
			t.Errorf("%s: %d bytes after it was killed, %d where it was not", f, len(got), len(want))
		}
	}
}

// runUntil waits for something that a process does.
func runUntil(t *testing.T, p *process, done func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	late := time.After(time.Minute)
	for !done() {
		select {
		case <-again.C:
		case <-p.ended:
			if !done() {
				t.Fatalf("the export ended: %s", p.said.tail(5))
			}
		case <-late:
			t.Fatalf("the export does not get on: %s", p.said.tail(5))
		}
	}
}

// An operator's folder has all read models of the one business, without what is
// personal unless asked for.
func TestExportTables(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)
	c := p.customer("everything")
	p.issuedInvoice(c.id)
	last := p.post("/customers", p.office, `{"name":"=Mallory()"}`).must(201)
	for _, path := range []string{"/customers", "/invoices", "/timeline", "/quotes", "/requests"} {
		p.get(path, p.office, last).must(200)
	}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	out, _ := told(t, exitOK, "export", "all", "--business", "acme", "--output", dir, "--format", "csv", "--json")
	var summary struct{ Items []exportedTable }
	if err := json.Unmarshal([]byte(out), &summary); err != nil || len(summary.Items) < 9 {
		t.Fatalf("%s: %v", out, err)
	}
	for _, item := range summary.Items {
		text := contentOf(t, dir, item.Table)
		if strings.Contains(text, "Dana") || strings.Contains(text, "Mallory") || !strings.Contains(text, "business_id") {
			t.Errorf("%s: %s", item.Table, text)
		}
		if item.Table == "invoices" && (item.Rows != 1 || strings.Join(item.LeftOut, " ") != "details") {
			t.Errorf("%+v", item)
		}
	}
	text, errs := told(t, exitOK, "export", "customers", "--business", p.business, "--format", "csv", "--personal")
	if !strings.Contains(text, "Dana Reyes") || !strings.Contains(text, ",'=Mallory(),") || !strings.Contains(errs, "2 rows exported") {
		t.Errorf("%s\n%s", text, errs)
	}
	if lines, _ := told(t, exitOK, "export", "customers", "--business", "acme"); strings.Count(lines, "\n") != 2 || strings.Contains(lines, "name") {
		t.Errorf("%s", lines)
	}

	again, _ := told(t, exitOK, "export", "all", "--business", "acme", "--output", dir, "--format", "csv", "--json")
	if err := json.Unmarshal([]byte(again), &summary); err != nil || summary.Items[0].Rows != 0 || summary.Items[0].Total == 0 {
		t.Errorf("what was complete was exported again: %s, %v", again, err)
	}
	told(t, exitFailed, "export", "all", "--business", "acme", "--output", dir) // which has CSV
	told(t, exitFailed, "export", "nothing", "--business", "acme")
	told(t, exitFailed, "export", "invoices", "--business", "nobody")
	for _, wrong := range []string{
		"export", "export invoices", "export all --business acme", "export invoices --business acme --format parquet",
		"export invoices --business acme --format xlsx", "export invoices customers --business acme", "export invoices --business acme --json",
	} {
		told(t, exitMisused, strings.Fields(wrong)...)
	}
}
