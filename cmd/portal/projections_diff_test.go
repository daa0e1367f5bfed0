package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// An operator rebuilds a read model, sees by the diff which rows were wrong
// before and which event they had missed, and follows a row to its events.
func TestProjectionsDiffAndWhy(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)
	dana := p.customer("everything")
	right, wrong := p.issuedInvoice(dana.id), p.issuedInvoice(dana.id)
	charged := p.post("/invoices/"+wrong+"/late-fee", p.office,
		`{"description":"Dana was late","amount":{"amount":500,"currency":"EUR"}}`)
	p.get("/invoices", p.office, charged.must(201)).must(200)
	if err := p.server.runner.Rebuild(t.Context(), "invoices"); err != nil {
		t.Fatal(err)
	}
	var retired string
	if err := p.server.pool.QueryRow(t.Context(), `SELECT schema FROM runner.builds WHERE projection = 'invoices' AND state = 'retired'`).Scan(&retired); err != nil {
		t.Fatal(err)
	}
	// As if it had missed the fee.
	if _, err := p.server.pool.Exec(t.Context(), `UPDATE `+pgx.Identifier{retired, "invoices"}.Sanitize()+`
		SET billed = 10000, outstanding = 10000, version = version - 1, details = details - 'charges' WHERE invoice_id = $1`, wrong); err != nil {
		t.Fatal(err)
	}

	command := func(status int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), args, &out, &errs); got != status {
			t.Fatalf("%v: status %d, want %d: %s", args, got, status, errs.String())
		}
		return out.String()
	}
	diff := []string{"projections", "diff", "invoices", "--from", "retired", "--to", "live"}
	said := command(exitDifferent, append(diff, "--explain", "--exit-code")...)
	for _, want := range []string{wrong, "billed  10000 → 10500", "explained by (against the old row as it is stored)\n", "InvoiceLateFeeAdded", "columns that differ: version 1, billed 1, outstanding 1, details 1"} {
		if !strings.Contains(said, want) {
			t.Errorf("the diff does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, right) || strings.Contains(said, "was late") || strings.Contains(said, "\x1b") {
		t.Errorf("the diff says too much:\n%s", said)
	}
	var report struct {
		Different bool
		Tables    []struct{ Changed int }
	}
	if err := json.Unmarshal([]byte(command(exitOK, append(diff, "--business", "acme", "--json")...)), &report); err != nil ||
		!report.Different || report.Tables[0].Changed != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	command(exitOK, "projections", "diff", "quotes", "--to", "live", "--exit-code")
	if said := command(exitOK, append(diff, "--personal")...); !strings.Contains(said, "Dana was late") {
		t.Errorf("with personal texts:\n%s", said)
	}

	why := []string{"projections", "why", "invoices", "invoices", wrong}
	said = command(exitOK, append(why, "--full", "--business", "acme")...)
	for _, want := range []string{"billed  10500", "changed last by", "command ", "InvoiceDrafted", "makes the row", "version, billed, outstanding, details", "of 4 looked at (stream)"} {
		if !strings.Contains(said, want) {
			t.Errorf("why does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "was late") || strings.Contains(said, "not complete") {
		t.Errorf("why says:\n%s", said)
	}
	var provenance struct {
		Last struct{ Type, CommandID string }
	}
	if err := json.Unmarshal([]byte(command(exitOK, append(why, "--json")...)), &provenance); err != nil ||
		provenance.Last.Type != "InvoiceLateFeeAdded" || uuid.Validate(provenance.Last.CommandID) != nil {
		t.Errorf("%+v, %v", provenance, err)
	}

	for status, wrongs := range map[int][]string{
		exitMisused: {
			"diff", "diff nothing", "diff invoices --examples 1000", "diff invoices --wait -1s", "diff invoices --to live --business nobody",
			"why", "why invoices invoices", "why invoices invoices status=issued",
		},
		exitFailed: {"diff invoices", "diff invoices --from 0 --to live", "diff invoices --to live --table nothing", "why invoices invoices x", "why nothing invoices x"},
	} {
		for _, args := range wrongs {
			command(status, append([]string{"projections"}, strings.Fields(args)...)...)
		}
	}
}
