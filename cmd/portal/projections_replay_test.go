package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"portal.example/eventstore"
	"portal.example/internal/api"
	"portal.example/internal/identity"
)

// answered runs a subcommand that ends with one object.
func answered(t *testing.T, args ...string) map[string]any {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), append(args, "--json"), &out, &errs); status != exitOK {
		t.Fatalf("%v: status %d: %s", args, status, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var answer map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &answer); err != nil {
		t.Fatalf("%v printed %s: %v", args, out.String(), err)
	}
	return answer
}

// refuses runs a subcommand that fails, and returns what it says.
func refuses(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), args, &out, &errs); status != want {
		t.Errorf("%v: status %d, want %d: %s", args, status, want, errs.String())
	}
	return errs.String()
}

// A read model is replayed beside the live one, watched by command line, API and
// metrics, cut over, rolled back and dropped; and nothing is woken by it.
func TestReplayFromTheCommandLine(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)
	customer := p.customer("everything")
	for range 3 {
		p.issuedInvoice(customer.id)
	}
	p.sentQuote(customer.id)
	// The quote's expiry is a job. The wake-up for it has been dealt with before
	// what follows is compared.
	p.untilMetric(`portal_reaction_handled_total{by="wake-up",reaction="quote-expiry"} 1`)
	created := p.post("/customers", p.office, `{"name":"Ann"}`).must(201)
	p.get("/invoices", p.office, created).must(200)
	other := p.register("other")
	before := p.effects()

	run := func(args ...string) map[string]any {
		t.Helper()
		return answered(t, append([]string{"projections"}, args...)...)
	}
	slow := run("replay", "timeline", "--throttle", "2", "--detach")
	if slow["state"] != "building" || slow["replay"] == nil {
		t.Fatalf("begun: %v", slow)
	}
	p.untilMetric(`portal_projection_replay_events_per_second{`)
	analyst := p.token(identity.Key{Business: p.business, Role: api.Analyst})
	replays := p.replays(analyst)
	if len(replays) != 1 || replays[0]["done"].(float64) >= 1 || replays[0]["throttle"] != 2.0 || replays[0]["ready"] != false {
		t.Errorf("by the API: %v", replays)
	}
	p.send(http.MethodGet, "/api/v1/projections", customer.token, "").must(403)
	if said := refuses(t, exitFailed, "projections", "replay", "timeline", "--business", "acme"); !strings.Contains(said, "under way") {
		t.Errorf("a second replay: %s", said)
	}
	run("replay", "pause", "timeline")
	run("replay", "throttle", "timeline", "--rate", "0")
	run("replay", "resume", "timeline")
	watched := run("replay", "timeline") // the one under way
	if watched["build"] != slow["build"] || watched["replay"].(map[string]any)["ready"] != true {
		t.Errorf("watched: %v", watched)
	}
	run("replay", "cancel", "timeline")

	if live := run("replay", "invoices", "--cutover"); live["state"] != "live" || live["schema"] == "invoices_v1" {
		t.Errorf("cut over: %v", live)
	}
	if live := run("rollback", "invoices"); live["state"] != "live" || live["schema"] != "invoices_v1" {
		t.Errorf("rolled back: %v", live)
	}
	run("cutover", "invoices")
	p.get("/invoices", p.office, created).must(200)
	refuses(t, exitMisused, "projections", "drop", "invoices")
	if stale := run("rollback", "invoices", "--stale"); stale["asOf"] == nil {
		t.Errorf("rolled back as it was: %v", stale)
	}
	if dropped := run("drop", "invoices", "--yes"); dropped["dropped"] != 1.0 {
		t.Errorf("dropped: %v", dropped)
	}
	if said := refuses(t, exitFailed, "projections", "rollback", "invoices"); !strings.Contains(said, "no earlier tables") {
		t.Errorf("rolling back what was dropped: %s", said)
	}

	// A damaged row of one business.
	damage := func(schema string) {
		t.Helper()
		if _, err := p.server.pool.Exec(t.Context(), `UPDATE `+schema+`.customers SET name = 'damaged'`); err != nil {
			t.Fatal(err)
		}
	}
	damage("customers_v1")
	part := run("replay", "customers", "--business", "other", "--cutover")
	if part["state"] != "ended" {
		t.Errorf("a part: %v", part)
	}
	if names := p.names(); slices.Contains(names, "Ann") {
		t.Errorf("the part of business %s mended %v", other, names)
	}
	run("replay", "customers", "--business", "acme", "--cutover")
	if names := p.names(); !slices.Contains(names, "Ann") || slices.Contains(names, "damaged") {
		t.Errorf("mended: %v", names)
	}
	run("replay", "customers", "--business", other)
	if replays := p.replays(p.office); len(replays) != 0 {
		t.Errorf("a business is told of another's replay: %v", replays)
	}
	run("replay", "cancel", "customers")
	span := run("replay", "customers", "--until", time.Now().UTC().Add(-time.Hour).Format(time.RFC3339))
	if said := refuses(t, exitFailed, "projections", "cutover", "customers"); !strings.Contains(said, "span of time") || span["replay"] == nil {
		t.Errorf("a span of time: %s, %v", said, span)
	}
	run("replay", "cancel", "customers")

	if after := p.effects(); after != before {
		t.Errorf("before the replays: %s, after: %s", before, after)
	}
	for _, wrong := range []string{
		"replay", "replay nothing", "replay pause", "replay throttle invoices", "cutover", "rollback nothing", "drop",
		"replay invoices --since yesterday", "replay invoices --until 2026-01-01T00:00:00Z --cutover", "replay invoices --throttle -1",
	} {
		refuses(t, exitMisused, append([]string{"projections"}, strings.Fields(wrong)...)...)
	}
}

// untilMetric waits until the portal's metrics have a text.
func (p *running) untilMetric(text string) {
	p.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for bound := time.After(30 * time.Second); !strings.Contains(p.send(http.MethodGet, "/metrics", "", "").text, text); {
		select {
		case <-again.C:
		case <-bound:
			p.t.Fatalf("the metrics never have %s", text)
		}
	}
}

// effects are what a replay must not lead to: events, jobs, and reactions.
func (p *running) effects() string {
	p.t.Helper()
	var last string
	for e, err := range p.server.log.ReadAll(p.t.Context(), eventstore.Start()) {
		if err != nil {
			p.t.Fatal(err)
		}
		if !strings.HasPrefix(e.Type, "$") {
			last = e.Position.String()
		}
	}
	var jobs string
	if err := p.server.pool.QueryRow(p.t.Context(), `SELECT count(*)::text || ' jobs, the last ' || coalesce(max(id), 0) FROM jobs.river_job
		WHERE queue = 'quote-expiry'`).Scan(&jobs); err != nil {
		p.t.Fatal(err)
	}
	var handled []string
	for line := range strings.Lines(p.send(http.MethodGet, "/metrics", "", "").text) {
		if strings.HasPrefix(line, "portal_reaction_") && strings.Contains(line, "_total{") {
			handled = append(handled, strings.TrimSpace(line))
		}
	}
	return strings.Join(append(handled, jobs, "the last event at "+last), "\n")
}

// replays are those that the API tells of.
func (p *running) replays(token string) (found []map[string]any) {
	p.t.Helper()
	for _, item := range p.send(http.MethodGet, "/api/v1/projections", token, "").must(200).body["items"].([]any) {
		if replay, is := item.(map[string]any)["replay"].(map[string]any); is {
			found = append(found, replay)
		}
	}
	return found
}

// names are those of the business's customers.
func (p *running) names() (names []string) {
	p.t.Helper()
	for _, item := range p.send(http.MethodGet, "/api/v1/customers", p.office, "").must(200).body["items"].([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	return names
}
