package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"portal.example/eventstore/node"
	"portal.example/internal/api"
	"portal.example/internal/identity"
)

func TestWrongValuesAreOneLineThatNamesTheVariable(t *testing.T) {
	for _, c := range []struct{ name, value, secret string }{
		{"DATABASE_URL", "", ""},
		{"DATABASE_URL", "postgres://u:hunter2@host:port/db", "hunter2"},
		{"PORTAL_LISTEN", "8080", ""},
		{"PORTAL_LISTEN", "127.0.0.1:http-ish", ""},
		{"PORTAL_BASE_URL", "portal.example.com", ""},
		{"PORTAL_EVENTSTORE", "https://user:hunter2@host", "hunter2"},
		{"PORTAL_MASTER_KEY", "hunter2", "hunter2"},
		{"SMTP_URL", "mail.example.com", ""},
		{"STRIPE_API_BASE", "ftp://example.com", ""},
		{"SMS_URL", "?", ""},
	} {
		t.Run(c.name+" "+c.value, func(t *testing.T) {
			t.Setenv("DATABASE_URL", "postgres://localhost/portal")
			t.Setenv("PORTAL_DATA", t.TempDir())
			t.Setenv(c.name, c.value)
			var out, errs bytes.Buffer
			if status := run(t.Context(), []string{"serve"}, &out, &errs); status != exitMisused {
				t.Errorf("exit status %d", status)
			}
			line := strings.TrimSpace(errs.String())
			if !strings.Contains(line, c.name) || strings.Contains(line, "\n") || c.secret != "" && strings.Contains(line, c.secret) {
				t.Errorf("said %q", line)
			}
		})
	}
}

// The commands of an operator, beside a running portal: a business whose slug
// resolves, and tokens that are good at once.
func TestOperatorsWorkBesideTheServer(t *testing.T) {
	data := t.TempDir()
	t.Setenv("PORTAL_DATA", data)
	t.Setenv("PORTAL_LISTEN", "127.0.0.1:0")
	t.Setenv("PORTAL_EVENTSTORE", "")
	t.Setenv("DATABASE_URL", migratedDatabase(t))
	tell := func(status int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), args, &out, &errs); got != status {
			t.Fatalf("%v: exit status %d, %s", args, got, errs.String())
		}
		return strings.TrimSpace(out.String() + errs.String())
	}
	create := []string{"business", "create", "--slug", "acme", "--name", "Acme", "--currency", "EUR", "--timezone", "Europe/Rome"}
	before := tell(exitOK, "business", "create", "--slug", "early", "--name", "Early", "--currency", "EUR", "--timezone", "Asia/Tokyo")

	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	output, lines := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve"}, lines, io.Discard) }()
	line := make([]byte, 200)
	n, err := output.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	_, address, found := strings.Cut(strings.TrimSpace(string(line[:n])), "portal at ")
	if !found {
		t.Fatalf("said %q", line[:n])
	}

	id := tell(exitOK, create...)
	var same struct{ Token, ID string }
	if err := json.Unmarshal([]byte(tell(exitOK, "keys", "create", "--business", id, "--role", "owner", "--json")), &same); err != nil {
		t.Fatal(err)
	}
	token := tell(exitOK, "keys", "create", "--business", "acme", "--role", "owner")
	if !strings.HasPrefix(token, "pk_") || strings.ContainsAny(token, " \n") {
		t.Errorf("printed %q", token)
	}
	p := &running{t: t, url: address, office: token}
	dana := p.post("/customers", token, `{"name":"Dana"}`).must(201).id()
	lee := p.post("/customers/"+dana+"/contacts", token, `{"name":"Lee"}`).must(201).id()
	tell(exitOK, "keys", "create", "--business", "acme", "--role", "customer", "--customer", dana, "--contact", lee)

	p.post("/customers", same.Token, `{"name":"Eve"}`).must(201)
	tell(exitOK, "keys", "revoke", "--business", "acme", "--id", same.ID)

	for _, wrong := range []struct {
		status int
		said   string
		args   []string
	}{
		{exitFailed, "slug", create},
		{exitMisused, "--timezone", []string{"business", "create", "--slug", "b", "--name", "B", "--currency", "EUR", "--timezone", "Mars"}},
		{exitMisused, "currency", []string{"business", "create", "--slug", "b", "--name", "B", "--currency", "EURO", "--timezone", "UTC"}},
		{exitMisused, "slug", []string{"business", "create", "--slug", "B!", "--name", "B", "--currency", "EUR", "--timezone", "UTC"}},
		{exitMisused, "--name", []string{"business", "create", "--slug", "b", "--currency", "EUR", "--timezone", "UTC"}},
		{exitFailed, "nobody", []string{"keys", "create", "--business", "nobody", "--role", "owner"}},
		{exitMisused, "role", []string{"keys", "create", "--business", "acme", "--role", "king"}},
		{exitMisused, "customer", []string{"keys", "create", "--business", "acme", "--role", "customer"}},
		{exitFailed, "contact", []string{"keys", "create", "--business", "acme", "--role", "customer", "--customer", dana, "--contact", dana}},
		{exitFailed, "contact", []string{"keys", "create", "--business", before, "--role", "customer", "--customer", dana, "--contact", lee}},
	} {
		if said := tell(wrong.status, wrong.args...); !strings.Contains(said, wrong.said) {
			t.Errorf("%v: said %q", wrong.args, said)
		}
	}
	interrupt()
	go io.Copy(io.Discard, output) //nolint:errcheck // lets go of a late line
	if status := <-ended; status != exitOK {
		t.Errorf("exit status %d", status)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"database":"ok","log":"ok"`, "/metrics": "go_goroutines"} {
		if a := p.send(http.MethodGet, path, "", ""); a.status != http.StatusOK || !strings.Contains(a.text, want) {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
	}
	p.send(http.MethodGet, "/nowhere", "", "").refused(404, "no_such_path")
	p.send(http.MethodDelete, "/api/v1/customers", "", "").refused(405, "method_not_allowed")
}

// With the log stopped a command is answered 503 within seconds, and says when
// to come back; once the log is there again, so are commands, by themselves.
func TestWithoutTheLogCommandsSaySo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Dir: dir, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	address := n.Addr()
	p := serveWith(t, config{
		listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t), eventStore: n.ConnectionString(),
	})
	dana := p.customer("everything")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}

	start := time.Now()
	a := p.post("/customers", p.office, `{"name":"Eve"}`, "Idempotency-Key", "k").refused(503, "log_unavailable")
	if took := time.Since(start); took > 8*time.Second || a.header.Get("Retry-After") == "" {
		t.Errorf("after %s, Retry-After %q", took, a.header.Get("Retry-After"))
	}
	p.post("/requests", dana.token, `{"kind":"lead","subject":"x"}`).refused(503, "log_unavailable")
	who := api.Principal{Business: p.business, Kind: api.KindCustomer, Role: api.Customer, CustomerID: dana.id, ContactID: dana.contact, ActorID: dana.contact, SessionID: "s"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.server.views().QuoteViewed(ctx, who, "q", 1); err == nil {
		t.Error("a view that nobody recorded")
	}
	if a := p.send(http.MethodGet, "/readyz", "", ""); a.status != http.StatusOK || a.body["log"] != "out of reach" {
		t.Errorf("readyz: %d %v", a.status, a.body)
	}

	n, err = node.Start(t.Context(), node.Config{Dir: dir, Listen: address, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	id := p.post("/customers", p.office, `{"name":"Eve"}`, "Idempotency-Key", "k").must(201).id()
	p.then("customer-"+id, "CustomerAdded")
}

// What was frozen when the portal died has its number soon after the next start.
func TestAStartFinishesWhatWasInterrupted(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	dana := p.customer("everything")
	id := p.draftInvoice(dana.id)
	p.freeze(id)
	sweeper := *p.server.sweeper
	sweeper.Every, sweeper.Patience = 10*time.Millisecond, 0
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- sweeper.Run(ctx) }()
	p.eventually(ctx, "invoice-"+id, "InvoiceIssued")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	p.then("invoice-"+id, "InvoiceDrafted", "InvoiceFrozen", "InvoiceIssued")
	if again := p.post("/invoices/"+id+"/issue", p.office, `{"issuedOn":"2026-03-14"}`).must(200); again.body["number"] != 1.0 {
		t.Errorf("issued again: %v", again.body)
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := startServer(ctx, config{listen: "127.0.0.1:0", data: p.data, database: "postgres://nobody"}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "PORTAL_EVENTSTORE") {
		t.Errorf("said %v", err)
	}
}

func TestRevokedTokensAreRefused(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	token, id, err := p.server.tokens.Create(t.Context(), identity.Key{Business: p.business, Role: api.Owner})
	if err != nil {
		t.Fatal(err)
	}
	p.post("/customers", token, `{"name":"Eve"}`).must(201)
	if err := p.server.tokens.Revoke(t.Context(), p.business, id); err != nil {
		t.Fatal(err)
	}
	p.post("/customers", token, `{"name":"Eve"}`).refused(401, "token_unknown")
}
