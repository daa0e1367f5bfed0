package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/domain/invoice"
	"portal.example/eventstore"
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
	metadata := eventstore.Metadata{
		CommandID: uuid.New(), Business: p.business, Operation: "test", Actor: eventstore.Actor{Kind: eventstore.ActorSystem},
		Origin: eventstore.OriginLive, RecordedAt: time.Now().UTC(),
	}
	encoded, err := p.server.codec.Encode(t.Context(), invoice.Stream(id), metadata,
		invoice.Voided{CustomerID: uuid.NewString(), Reason: "a test", At: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.server.log.Append(t.Context(), invoice.Stream(id), eventstore.NoStream(), encoded...); err != nil {
		t.Fatal(err)
	}
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
