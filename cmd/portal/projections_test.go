package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/eventstore"
	"portal.example/internal/api"
	"portal.example/internal/identity"
)

// items runs a subcommand that prints a list.
func items(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), append(args, "--json"), &out, &errs); status != exitOK {
		t.Fatalf("%v: status %d: %s", args, status, errs.String())
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || list.Items == nil {
		t.Fatalf("%v printed %s: %v", args, out.String(), err)
	}
	return list.Items
}

// An operator sees a stream that cannot be applied, and that a retry was made,
// while everything else flows.
func TestProjectionsFromTheCommandLine(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)

	// An invoice that begins in the middle.
	id := uuid.NewString()
	p.appendStray(invoice.Stream(id), invoice.Voided{CustomerID: uuid.NewString(), Reason: "a test", At: time.Now().UTC()})
	created := p.post("/customers", p.office, `{"name":"Ann"}`).must(201)
	p.get("/invoices", p.office, created).must(200) // others flow
	p.get("/timeline", p.office, created).must(200)

	held := items(t, "projections", "quarantine", "list", "invoices")
	if len(held) != 1 || held[0]["stream"] != invoice.Stream(id) || held[0]["held"] != 1.0 || held[0]["attempts"] != 1.0 ||
		!strings.Contains(held[0]["error"].(string), id) {
		t.Errorf("in quarantine: %v", held)
	}
	states := map[string]float64{}
	for _, s := range items(t, "projections", "status") {
		if s["state"] != "live" {
			t.Errorf("state: %v", s)
		}
		states[s["projection"].(string)] = s["quarantined"].(float64)
	}
	if known := items(t, "projections", "list"); len(states) != len(known) || states["invoices"] != 1 || states["customers"] != 0 {
		t.Errorf("%d projections, quarantined: %v", len(known), states)
	}

	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"projections", "quarantine", "retry", "invoices", "--all"}, &out, &errs); status != exitOK {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	deadline := time.After(time.Minute)
	for held[0]["attempts"] == 1.0 {
		select {
		case <-deadline:
			t.Fatal("the retry was never made")
		case <-time.After(50 * time.Millisecond):
		}
		held = items(t, "projections", "quarantine", "list")
	}

	for _, wrong := range []string{
		"projections", "projections frobnicate", "projections quarantine list nothing", "projections quarantine retry",
		"projections quarantine retry invoices", "projections quarantine retry invoices --all --stream s",
	} {
		if status := run(t.Context(), strings.Fields(wrong), &out, &errs); status != exitMisused {
			t.Errorf("%s: status %d", wrong, status)
		}
	}
}

// An operator sees the event at fault, decides that it does not count, and what
// follows it counts; the business's owner sees the decision.
func TestSkippingFromTheCommandLine(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	p := serveWith(t, cfg)
	owner, auditor := p.token(identity.Key{Business: p.business, Role: api.Owner}), p.token(identity.Key{Business: p.business, Role: api.Auditor})
	id, customer := uuid.NewString(), p.customer("everything")
	stream := invoice.Stream(id)
	stray := p.appendStray(stream, invoice.Voided{CustomerID: customer.id, Reason: "Dana's twin", At: time.Now().UTC()})
	p.appendStray(stream, invoice.Drafted{
		InvoiceID: id, BusinessID: p.business, CustomerID: customer.id, Currency: "EUR", Lines: []lines.Line{}, At: time.Now().UTC(),
	})
	p.get("/invoices", p.office, p.post("/customers", p.office, `{"name":"Ann"}`).must(201)).must(200)

	for args, dana := range map[string]bool{"": false, "--personal": true} {
		args := append([]string{"projections", "quarantine", "show", "invoices", stream}, strings.Fields(args)...)
		text, _ := told(t, exitOK, args...)
		if strings.Contains(text, "Dana's twin") != dana || !strings.Contains(text, "InvoiceVoided "+stray.String()) || !strings.Contains(text, "ciphertext") {
			t.Errorf("%v: %s", args, text)
		}
		shown := items(t, args...)
		if event, is := shown[0]["event"].(map[string]any); len(shown) != 1 || !is || event["id"] != stray.String() || shown[0]["held"] != 2.0 {
			t.Errorf("%v: %v", args, shown)
		}
	}
	quarantine := p.send("GET", "/api/v1/quarantine", auditor, "").must(200).body
	if held := quarantine["items"].([]any); len(held) != 1 || held[0].(map[string]any)["eventId"] != stray.String() {
		t.Errorf("by the API: %v", quarantine)
	}
	p.send("GET", "/api/v1/quarantine", p.office, "").must(403)
	stranger := p.token(identity.Key{Business: p.register("other"), Role: api.Owner})
	if body := p.send("GET", "/api/v1/quarantine", stranger, "").must(200).body; len(body["items"].([]any)) != 0 {
		t.Errorf("to another business: %v", body)
	}

	skip := []string{"projections", "quarantine", "skip", "invoices", stream, "--reason", "Void of nothing."}
	told(t, exitFailed, append(skip, "--event", uuid.NewString())...)
	told(t, exitFailed, append(skip, "--version", "99")...)
	if text, _ := told(t, exitOK, append(skip, "--event", stray.String())...); !strings.Contains(text, stray.String()) {
		t.Errorf("skip printed %s", text)
	}
	deadline := time.After(time.Minute)
	for len(items(t, "projections", "quarantine", "list")) > 0 {
		select {
		case <-deadline:
			t.Fatal("the event was never skipped")
		case <-time.After(50 * time.Millisecond):
		}
	}
	if found := p.send("GET", "/api/v1/invoices/"+id, p.office, "").must(200); found.body["status"] != "draft" {
		t.Errorf("what follows was not applied: %v", found.body)
	}
	recorded := items(t, "projections", "quarantine", "skips", "invoices")
	if len(recorded) != 1 || recorded[0]["reason"] != "Void of nothing." || recorded[0]["by"] != operator() || recorded[0]["eventId"] != stray.String() {
		t.Errorf("recorded: %v", recorded)
	}
	if body := p.send("GET", "/api/v1/quarantine", owner, "").must(200).body; len(body["items"].([]any)) != 0 ||
		body["skipped"].([]any)[0].(map[string]any)["reason"] != "Void of nothing." {
		t.Errorf("by the API: %v", body)
	}
	if body := p.send("GET", "/api/v1/quarantine", stranger, "").must(200).body; len(body["skipped"].([]any)) != 0 {
		t.Errorf("to another business: %v", body)
	}

	told(t, exitFailed, "projections", "quarantine", "show", "invoices", stream)
	told(t, exitFailed, skip...)
	for _, wrong := range []string{
		"show", "show invoices", "show nothing s", "show invoices s t", "skip invoices s", "skip --reason r",
		"skip invoices s --reason r --event x", "skip invoices s --reason r --version -1", "skips nothing",
	} {
		told(t, exitMisused, append([]string{"projections", "quarantine"}, strings.Fields(wrong)...)...)
	}
	told(t, exitMisused, append(skip[:5:5], "--reason", "two\nlines")...)
}

// appendStray puts an event into a stream past all decisions, and returns its id.
func (p *running) appendStray(stream string, event any) uuid.UUID {
	p.t.Helper()
	metadata := eventstore.Metadata{
		CommandID: uuid.New(), Business: p.business, Operation: "test", Actor: eventstore.Actor{Kind: eventstore.ActorSystem},
		Origin: eventstore.OriginLive, RecordedAt: time.Now().UTC(),
	}
	encoded, err := p.server.codec.Encode(p.t.Context(), stream, metadata, event)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.server.log.Append(p.t.Context(), stream, eventstore.Any(), encoded...); err != nil {
		p.t.Fatal(err)
	}
	return encoded[0].ID
}
