package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"portal.example/eventstore/node"
)

// get reads, after what was done at the answer's position.
func (p *running) get(path, token string, after answer) answer {
	p.t.Helper()
	return p.send(http.MethodGet, "/api/v1"+path, token, "", "Portal-Position", after.header.Get("Portal-Position"))
}

// An action becomes an event, a row, and a line in the timeline.
func TestTheLoop(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	dana, eve := p.customer("everything"), p.customer("everything")
	id := p.sentQuote(dana.id)
	p.post("/quotes/"+id+"/answer", p.office, `{"questionId":"`+id+`","text":"x"}`).refused(404, "question_not_found")
	approve := `{"version":1,"signedName":"Dana Reyes","consentVersion":"1"}`
	approved := p.post("/quotes/"+id+"/approve", dana.token, approve).must(200)

	quote := p.get("/quotes/"+id, dana.token, approved).must(200)
	if quote.body["status"] != "approved" || quote.header.Get("Portal-As-Of") == "" || quote.header.Get("ETag") != `"1"` {
		t.Errorf("quote %v, headers %v", quote.body, quote.header)
	}
	p.get("/quotes/"+id, eve.token, approved).must(404)
	p.then("quote-"+id, "QuoteDrafted", "QuoteSent", "QuoteApproved", "QuoteViewed")
	if lines := p.get("/quotes/"+id+"/timeline", dana.token, approved).must(200); !strings.Contains(lines.text, "Dana Reyes") {
		t.Errorf("timeline %s", lines.text)
	}

	invoice := p.issuedInvoice(dana.id)
	paid := p.post("/invoices/"+invoice+"/payments", p.office, `{"method":"cash","amount":{"amount":12000,"currency":"EUR"}}`).must(201)
	money := p.get("/dashboards/money", p.office, paid).must(200)
	if got := fmt.Sprint(money.body["invoices"], money.body["paid_in_full"], money.body["billed"], money.body["paid"],
		money.body["credit"], money.body["outstanding"]); got != "1 1 map[amount:10000 currency:EUR] map[amount:12000 currency:EUR] "+
		"map[amount:2000 currency:EUR] map[amount:0 currency:EUR]" {
		t.Errorf("money %s", got)
	}
	p.get("/dashboards/money", dana.token, paid).must(403)
	request := p.post("/requests", dana.token, `{"kind":"lead","subject":"The tap drips"}`).must(201)
	if list := p.get("/requests", dana.token, request).must(200); !strings.Contains(list.text, "The tap drips") {
		t.Errorf("requests %s", list.text)
	}
	if list := p.get("/requests", eve.token, request).must(200); strings.Contains(list.text, "The tap drips") {
		t.Errorf("another's requests %s", list.text)
	}
}

// With the log stopped a customer's document is not shown, since the view could
// not be recorded; lists and dashboards go on, and say as of when.
func TestWithoutTheLogListsGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Dir: dir, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	p := serveWith(t, config{
		listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t), eventStore: n.ConnectionString(),
	})
	dana := p.customer("everything")
	id, invoice := p.sentQuote(dana.id), p.issuedInvoice(dana.id)
	sent := p.post("/quotes/"+id+"/question", dana.token, `{"version":1,"text":"When?"}`).must(201)
	lists := []string{
		"/quotes", "/invoices", "/requests", "/customers", "/timeline",
		"/dashboards/money", "/dashboards/quotes", "/dashboards/requests",
	}
	for _, path := range lists {
		p.get(path, p.office, sent).must(200)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()

	for path, secret := range map[string]string{"/quotes/" + id: "boiler", "/invoices/" + invoice: "Work"} {
		a := p.get(path, dana.token, answer{}).refused(503, "log_unavailable")
		if a.header.Get("Retry-After") == "" || strings.Contains(a.text, secret) {
			t.Errorf("%s: headers %v, body %s", path, a.header, a.text)
		}
		p.get(path, p.office, answer{}).must(200) // staff go on without the log
	}
	for _, path := range lists {
		tokens := []string{p.office, dana.token}
		if strings.HasPrefix(path, "/dashboards") || path == "/customers" {
			tokens = tokens[:1]
		}
		for _, token := range tokens {
			said := p.get(path, token, answer{}).must(200).header.Get("Portal-As-Of")
			if asOf, err := time.Parse(time.RFC3339, said); err != nil || asOf.After(stopped) {
				t.Errorf("%s is complete as of %q, the log stopped at %s", path, said, stopped.UTC().Format(time.RFC3339Nano))
			}
		}
	}
}
