package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portal.example/docs/analysts/plot"
	"portal.example/internal/api"
	"portal.example/internal/demo"
	"portal.example/internal/identity"
)

// The worked examples of docs/analysts.
var examples = []struct {
	folder, name string
	chart        plot.Bars
}{
	{"recovery-rate", "recovery_rate", plot.Bars{
		Title: "Recovery rate by quarter of issue", Note: "received of what was billed; 10,000 road-traffic fines, 2006 to 2012", Unit: " %",
	}},
	{"triage-times", "triage_times", plot.Bars{
		Title: "From filing to each step, by team", Note: "median in hours; 1,434 requests for a permit, 2010 to 2012", Unit: " h",
	}},
	{"late-fee-effect", "late_fee_effect", plot.Bars{
		Title: "First payment after a late fee", Note: "share of the invoices that got one; 10,000 road-traffic fines, 2006 to 2012", Unit: " %",
	}},
}

// The examples say the same about the demo's history as the portal's own read
// models, which are another program.
func TestExamplesOnTheDemo(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)
	until := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	if err := p.server.seed(t.Context(), p.business, demo.Small.New(demoSeed, until), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	h := &histories{site: newSite(t, program{}, cfg.database), data: cfg.data}
	for _, e := range examples {
		var out, errs bytes.Buffer
		folder := filepath.Join("..", "..", "docs", "analysts", e.folder)
		if status := run(t.Context(), []string{"projections", "install", folder}, &out, &errs); status != exitOK {
			t.Fatalf("%s: status %d, %s", e.folder, status, errs.String())
		}
		if said := out.String(); !strings.Contains(said, e.name+" version 1 is good") || strings.Contains(said, "warning") {
			t.Errorf("%s: %s", e.folder, said)
		}
		h.untilFilled(e.name)
	}
	h.same("months", `
		SELECT date_trunc('month', issued_on)::date, count(*), sum(billed), sum(paid - credit) FROM read.invoices WHERE number > 0 GROUP BY 1`,
		`SELECT month, invoices, billed::numeric, received::numeric FROM read.recovery_month`)
	h.same("steps", `
		SELECT s.request_id, s._revision, coalesce(nullif(s.team, ''), 'none'), s.step, (extract(epoch FROM s.taken_at - r.filed_at) / 3600)::float8
		FROM read.request_steps s JOIN read.requests r USING (request_id)`,
		`SELECT substr(request, 9), revision, team, step, hours FROM read.triage_step`)
	h.same("payments and fees", `
		SELECT i.invoice_id, i.paid, (SELECT min(occurred_at) FROM read.timeline e WHERE e.record_id = i.invoice_id AND e.type = 'InvoiceLateFeeAdded')
		FROM read.invoices i WHERE number > 0`,
		`SELECT substr(invoice, 9), paid_before + paid_after, fee_at FROM read.late_fee_invoice`)
	if n := query[int](h.site, `SELECT count(*) FROM read.late_fee_invoice WHERE fee_at IS NOT NULL AND first_after > fee_at`); n == 0 {
		t.Error("nobody of the demo paid after a fee")
	}
	p.readTable("/tables/triage_step", query[int](h.site, `SELECT count(*) FROM read.triage_step`))
	if known := items(t, "projections", "list"); len(known) != len(projections())+len(examples) {
		t.Errorf("listed: %v", known)
	}
	if held := items(t, "projections", "quarantine", "list", "triage_times"); len(held) != 0 {
		t.Errorf("in quarantine: %v", held)
	}
	for wrong, status := range map[string]int{
		"projections uninstall triage_times": exitOK, "projections uninstall nothing": exitFailed, "projections uninstall": exitMisused,
		"projections check": exitMisused, "projections check " + cfg.data: exitFailed,
		"projections check ../../docs/analysts/triage-times --json": exitOK,
	} {
		var out, errs bytes.Buffer
		if got := run(t.Context(), strings.Fields(wrong), &out, &errs); got != status {
			t.Errorf("%s: status %d, %s", wrong, got, errs.String())
		}
	}
}

// readTable reads a table in pages, with rights and without.
func (p *running) readTable(path string, rows int) {
	p.t.Helper()
	p.send(http.MethodGet, "/api/v1"+path, p.office, "").refused(http.StatusForbidden, "role_forbidden")
	owner := p.token(identity.Key{Business: p.business, Role: api.Owner})
	stranger := p.token(identity.Key{Business: p.register("stranger"), Role: api.Owner})
	seen := map[string]bool{}
	for cursor := ""; ; {
		body := p.send(http.MethodGet, "/api/v1"+path+"?limit=7&cursor="+cursor, owner, "").must(http.StatusOK).body
		for _, item := range body["items"].([]any) {
			row := item.(map[string]any)
			seen[fmt.Sprint(row["request"], row["revision"])] = true
		}
		next, more := body["next"].(string)
		if !more {
			break
		}
		cursor = next
	}
	if len(seen) != rows || rows < 15 {
		p.t.Errorf("%s has %d rows in pages, and %d", path, len(seen), rows)
	}
	body := p.send(http.MethodGet, "/api/v1"+path, stranger, "").must(http.StatusOK).body
	if found := body["items"].([]any); len(found) != 0 {
		p.t.Errorf("another business sees %v", found)
	}
	// Tables of the portal's own have routes of their own.
	p.send(http.MethodGet, "/api/v1/tables/invoices", owner, "").must(http.StatusNotFound)
	for _, cursor := range []string{"x", "eyJsIjoidHJpYWdlX3N0ZXAiLCJrIjpbInIiXX0", // {"l":"triage_step","k":["r"]}
		"eyJsIjoidHJpYWdlX3N0ZXAiLCJrIjpbInIiLCJub3QgYSBudW1iZXIiXX0"} { // "k":["r","not a number"]
		p.send(http.MethodGet, "/api/v1"+path+"?cursor="+cursor, owner, "").must(http.StatusUnprocessableEntity)
	}
}

// untilFilled waits until an installed projection has the whole log.
func (s *site) untilFilled(name string) {
	s.t.Helper()
	s.until(name+" has the whole log", time.Minute, func() bool {
		return query[bool](s, `SELECT EXISTS (SELECT FROM runner.builds WHERE projection = $1 AND state = 'live' AND caught_up)`, name)
	})
}

// examples installs the examples beside the real histories, and compares their
// rows with SQL over the files.
func (h *histories) examples() {
	h.t.Helper()
	for _, e := range examples {
		h.tell("projections", "install", filepath.Join("..", "..", "docs", "analysts", e.folder))
		h.untilFilled(e.name)
	}
	h.exec(`CREATE VIEW raw.cases AS
		WITH rows AS (
			SELECT "case", seq, paid_cents, max(amount_cents) OVER so_far + coalesce(sum(expense_cents) OVER so_far, 0) AS billed,
			       coalesce(sum(paid_cents) OVER so_far, 0) AS paid
			FROM raw.fines WINDOW so_far AS (PARTITION BY "case" ORDER BY seq))
		SELECT DISTINCT ON ("case") "case", billed,
		       paid - coalesce(max(greatest(paid - billed, 0)) FILTER (WHERE paid_cents > 0) OVER (PARTITION BY "case"), 0) AS received
		FROM rows ORDER BY "case", seq DESC`)
	h.same("months", `
		SELECT date_trunc('month', f.date)::date, count(*), sum(c.billed), sum(c.received)
		FROM raw.cases c JOIN raw.fines f USING ("case") WHERE f.activity = 'Create Fine' GROUP BY 1`,
		`SELECT month, invoices, billed::numeric, received::numeric FROM read.recovery_month`)
	h.same("steps", `
		SELECT s."case", s.activity, CASE s."group" WHEN 'EMPTY' THEN 'none' ELSE s."group" END,
		       (extract(epoch FROM s.at - f.at) / 3600)::float8
		FROM raw.requests s JOIN raw.requests f ON f."case" = s."case" AND f.activity = 'Confirmation of receipt'
		WHERE s.activity <> 'Confirmation of receipt'`, `
		SELECT r.reference, s.step, s.team, s.hours FROM read.triage_step s JOIN read.requests r ON s.request = 'request-' || r.request_id`)
	h.same("late fees", `
		WITH fee AS (SELECT "case", min(seq) AS seq, min(date) AS date, max(amount_cents) AS amount FROM raw.fines WHERE activity = 'Add penalty' GROUP BY 1)
		SELECT "case", fee.date, fee.amount - min(f.amount_cents),
		       coalesce(sum(paid_cents) FILTER (WHERE f.seq < fee.seq), 0), coalesce(sum(paid_cents) FILTER (WHERE f.seq > fee.seq), 0),
		       min(f.date) FILTER (WHERE f.seq > fee.seq AND paid_cents > 0)
		FROM fee JOIN raw.fines f USING ("case") GROUP BY "case", fee.date, fee.amount`, `
		SELECT i.reference, (l.fee_at AT TIME ZONE 'Europe/Rome')::date, l.fees, l.paid_before::numeric, l.paid_after::numeric,
		       (l.first_after AT TIME ZONE 'Europe/Rome')::date
		FROM read.late_fee_invoice l JOIN read.invoices i ON l.invoice = 'invoice-' || i.invoice_id WHERE l.fee_at IS NOT NULL`)
	h.plots()
}

// plots draws the charts of docs/analysts, and demands that those of the project
// are the same. PORTAL_PLOTS=1 writes them.
func (h *histories) plots() {
	h.t.Helper()
	h.exec(`ALTER DATABASE ` + h.rows.Config().ConnConfig.Database + ` SET search_path = read`)
	h.rows.Reset()
	for _, e := range examples {
		folder := filepath.Join("..", "..", "docs", "analysts", e.folder)
		sql, err := os.ReadFile(filepath.Join(folder, "plot.sql"))
		if err != nil {
			h.t.Fatal(err)
		}
		rows, err := h.rows.Query(h.t.Context(), string(sql))
		if err != nil {
			h.t.Fatal(err)
		}
		for rows.Next() {
			var b plot.Bar
			if err := rows.Scan(&b.Label, &b.Value); err != nil {
				h.t.Fatal(err)
			}
			e.chart.Bars = append(e.chart.Bars, b)
		}
		if err := rows.Err(); err != nil {
			h.t.Fatal(err)
		}
		var drawn bytes.Buffer
		if err := e.chart.WriteSVG(&drawn); err != nil {
			h.t.Fatal(err)
		}
		path := filepath.Join(folder, "plot.svg")
		if os.Getenv("PORTAL_PLOTS") != "" {
			if err := os.WriteFile(path, drawn.Bytes(), 0o644); err != nil {
				h.t.Fatal(err)
			}
		}
		if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, drawn.Bytes()) {
			h.t.Errorf("%s is not what the history says (%v); make plots draws it anew", path, err)
		}
	}
}
