package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/internal/api"
	"portal.example/internal/identity"
)

const oldFines = `case,seq,activity,date,amount_cents,expense_cents,paid_cents
A1,0,Create Fine,2020-01-31,3000,,
A1,1,Payment,2020-02-03,,,5000
A2,0,Create Fine,2020-01-31,4000,,
A2,1,Send Fine,2020-03-01,,700,
A3,0,Create Fine,2020-02-10,2500,,
A3,1,Send Fine,2020-03-05,,1200,
A3,2,Add penalty,2020-06-01,5000,,
A3,3,Payment,2020-07-01,,,2000
A4,0,Create Fine,2020-03-31,6000,,
A4,1,Add penalty,2020-07-15,9000,,
`

// importFines imports a history of fines for a business.
func importFines(t *testing.T, business, content string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fines.csv")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, said := runImport(t, []string{"import", "fines", file, "--business", business, "--json"}); s.Refused > 0 {
		t.Fatalf("%+v: %s", s, said)
	}
}

// finesUntil is the money of a history up to and including a day, by the file.
func finesUntil(t *testing.T, content, day string) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	billed, fine, paid := map[string]int{}, map[string]int{}, map[string]int{}
	for _, row := range rows[1:] {
		id, amount := row[0], 0
		for _, field := range row[4:] {
			if n, err := strconv.Atoi(field); err == nil {
				amount = n
			}
		}
		if row[3] > day {
			continue
		}
		switch row[2] {
		case "Create Fine", "Add penalty": // a penalty lifts the fine itself
			billed[id] += amount - fine[id]
			fine[id] = amount
		case "Send Fine":
			billed[id] += amount
		case "Payment":
			paid[id] += amount
		}
	}
	var b, p, credit int
	for id := range billed {
		b, p, credit = b+billed[id], p+paid[id], credit+max(0, paid[id]-billed[id])
	}
	return fmt.Sprintf("%d invoices, billed %d, paid %d, credit %d, outstanding %d", len(billed), b, p, credit, b-p+credit)
}

func moneyOf(body map[string]any) string {
	amount := func(field string) any { return body[field].(map[string]any)["amount"] }
	return fmt.Sprintf("%v invoices, billed %v, paid %v, credit %v, outstanding %v",
		body["invoices"], amount("billed"), amount("paid"), amount("credit"), amount("outstanding"))
}

// past asks for a dashboard as it was until it is there, and no longer than a minute.
func (p *running) past(token, dashboard string, query ...string) answer {
	p.t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	for bound := time.Now().Add(time.Minute); ; {
		a := p.send(http.MethodGet, "/api/v1/dashboards/"+dashboard+"?"+values.Encode(), token, "")
		if a.status != http.StatusServiceUnavailable {
			return a
		}
		a.refused(http.StatusServiceUnavailable, "being_filled")
		if a.header.Get("Retry-After") == "" || a.body["details"].(map[string]any)["done"] == nil || time.Now().After(bound) {
			p.t.Fatalf("asked again and again: %v %v", a.header, a.body)
		}
	}
}

// A dashboard as of a moment is what it was then, or what it was by what is known
// today, in the answer to a request and from the command line.
func TestDashboardsAsOf(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)
	importFines(t, "acme", oldFines)
	analyst := p.token(identity.Key{Business: p.business, Role: api.Analyst})
	created := p.post("/customers", p.office, `{"name":"Ann"}`).must(201)
	before := p.get("/dashboards/money", analyst, created).must(200)
	then := before.header.Get("Portal-As-Of")

	customer := p.customer("everything")
	p.issuedInvoice(customer.id)
	p.sentQuote(customer.id)
	after := p.post("/customers", p.office, `{"name":"Bob"}`).must(201)
	if now := p.get("/dashboards/money", analyst, after).must(200); moneyOf(now.body) == moneyOf(before.body) {
		t.Fatal("nothing has changed since")
	}

	was := p.past(analyst, "money", "asOf", then).must(200)
	if diff := cmp.Diff(before.body, was.body); diff != "" {
		t.Errorf("as of %s (-then +now):\n%s", then, diff)
	}
	if got := was.header.Get("Portal-As-Of"); got != then {
		t.Errorf("as of %s says %s", then, got)
	}
	for _, day := range []string{"2020-02-09", "2020-06-30"} {
		a := p.past(analyst, "money", "asOf", day, "by", "occurred").must(200)
		if got, want := moneyOf(a.body), finesUntil(t, oldFines, day); got != want {
			t.Errorf("on %s: %s, by the file %s", day, got, want)
		}
		line := answered(t, "projections", "asof", "money", "--business", "acme", "--at", day, "--by", "occurred")
		if diff := cmp.Diff(a.body, line["figures"]); diff != "" {
			t.Errorf("by API and command line, on %s:\n%s", day, diff)
		}
	}
	if a := p.past(analyst, "quotes", "asOf", then).must(200); a.body["drafted"] != 0.0 {
		t.Errorf("quotes then: %v", a.body)
	}
	p.past(analyst, "requests", "asOf", "2020-06-30").must(200)

	// The others have none of it, and what is not so is refused by its name.
	p.register("other")
	if line := answered(t, "projections", "asof", "money", "--business", "other", "--at", then); line["figures"].(map[string]any)["invoices"] != 0.0 {
		t.Errorf("another business: %v", line)
	}
	p.past(customer.token, "money", "asOf", then).must(403)
	for _, wrong := range []string{time.Now().Add(time.Hour).Format(time.RFC3339), "9999-12-31", "yesterday", "1066-10-14"} {
		a := p.past(analyst, "money", "asOf", wrong).refused(422, "invalid")
		if fault, _ := json.Marshal(a.body["errors"]); !strings.Contains(string(fault), `"field":"asOf"`) {
			t.Errorf("%s: %s", wrong, fault)
		}
		refuses(t, exitMisused, "projections", "asof", "money", "--business", "acme", "--at", wrong)
	}
	p.past(analyst, "money", "asOf", then, "by", "hearsay").must(422)
	refuses(t, exitMisused, "projections", "asof", "weather", "--business", "acme", "--at", then)
	refuses(t, exitMisused, "projections", "asof", "money", "--at", then)
}
