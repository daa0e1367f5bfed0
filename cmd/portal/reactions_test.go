package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// reacts bounds the wait for a reaction.
const reacts = time.Minute

// clock is the portal's clock in the hand of a test. It begins an hour ago, so
// that the queue of jobs, which goes by the computer's, finds due whatever is
// due within an hour by this one.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().Add(-time.Hour).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.at.Load()).UTC() }
func (c *clock) forward(d time.Duration) { c.at.Add(d.Microseconds()) }

// offeredUntil sends the customer a quote that can be approved until then.
func (p *running) offeredUntil(customer string, expires time.Time) string {
	p.t.Helper()
	offer := strings.TrimSuffix(offer, "}") + fmt.Sprintf(`,"expiresAt":%q}`, expires.Format(time.RFC3339Nano))
	id := p.post("/quotes", p.office, `{"customerId":"`+customer+`","reference":"Q-1","currency":"EUR","offer":`+offer+`}`).must(201).id()
	p.post("/quotes/"+id+"/send", p.office, "").must(200)
	return id
}

// jobs counts the jobs about events of the stream.
func (p *running) jobs(stream string) (n int) {
	p.t.Helper()
	err := p.server.pool.QueryRow(p.t.Context(),
		`SELECT count(*) FROM jobs.river_job WHERE args->'event'->>'stream' = $1`, stream).Scan(&n)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func TestAQuoteThatNobodyAnswersExpires(t *testing.T) {
	t.Parallel()
	at := newClock()
	p := serveAt(t, config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}, at.now).opened()
	dana := p.customer("everything")
	expires := at.now().Add(time.Minute)
	answered := p.offeredUntil(dana.id, expires)
	unanswered := p.offeredUntil(dana.id, expires)
	until(t, "there are jobs for both", func() bool { return p.jobs("quote-"+answered) == 1 && p.jobs("quote-"+unanswered) == 1 })
	p.post("/quotes/"+answered+"/decline", dana.token, `{"version":1,"reason":"Too dear."}`).must(200)
	at.forward(time.Minute)
	p.post("/quotes/"+unanswered+"/send", p.office, "").must(200) // it is still open at that instant
	at.forward(time.Second)

	position := p.found("quote-"+unanswered, "QuoteExpired")
	events := p.then("quote-"+unanswered, "QuoteDrafted", "QuoteSent", "QuoteExpired")
	sent, expired := events[1], events[2]
	if e := expired.Event.(quote.Expired); e.Version != 1 || !e.ExpiresAt.Equal(expires) || !e.At.After(expires) {
		t.Errorf("recorded %+v of what expires at %s", e, expires)
	}
	if m := expired.Metadata; m.Actor.Kind != eventstore.ActorSystem || m.CausationID != sent.Record.ID ||
		m.CorrelationID != sent.Metadata.CorrelationID || m.Business != p.business {
		t.Errorf("metadata %+v", m)
	}
	after := answer{header: http.Header{"Portal-Position": {position.String()}}}
	if line := p.get("/quotes/"+unanswered+"/timeline", p.office, after).must(200); !strings.Contains(line.text, "expired without an answer") {
		t.Errorf("timeline: %s", line.text)
	}
	list := p.get("/quotes?status=expired", p.office, after).must(200).body["items"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["id"] != unanswered {
		t.Errorf("expired are %v", list)
	}
	p.then("quote-"+answered, "QuoteDrafted", "QuoteSent", "QuoteDeclined")
}

// until waits for a condition, with a bound that only a failure reaches.
func until(t *testing.T, what string, fulfilled func() bool) {
	t.Helper()
	(&site{t: t}).until(what, reacts, fulfilled)
}

// found waits until the stream has an event of this type, and tells where.
func (p *running) found(stream, eventType string) eventstore.Position {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), reacts)
	defer cancel()
	return p.eventually(ctx, stream, eventType)
}

// Two portals are woken by turns, and both run jobs.
func TestTwoPortalsReactOnce(t *testing.T) {
	t.Parallel()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	at := newClock()
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t), eventStore: n.ConnectionString()}
	p := serveAt(t, cfg, at.now).opened()
	serveAt(t, cfg, at.now)
	dana := p.customer("everything")
	expires := at.now().Add(time.Minute)
	var quotes []string
	for range 20 {
		quotes = append(quotes, p.offeredUntil(dana.id, expires))
	}
	for _, id := range quotes {
		until(t, "there is a job for each", func() bool { return p.jobs("quote-"+id) == 1 })
	}
	at.forward(2 * time.Minute)
	for _, id := range quotes {
		p.found("quote-"+id, "QuoteExpired")
	}
	until(t, "no job is left", func() bool {
		var left int
		err := p.server.pool.QueryRow(t.Context(), `SELECT count(*) FROM jobs.river_job WHERE state <> 'completed'`).Scan(&left)
		return err == nil && left == 0
	})
	for _, id := range quotes {
		p.then("quote-"+id, "QuoteDrafted", "QuoteSent", "QuoteExpired")
	}
}

// What is brought in from elsewhere wakes nobody.
func TestImportedQuotesDoNotExpire(t *testing.T) {
	t.Parallel()
	at := newClock()
	p := serveAt(t, config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}, at.now).opened()
	dana := p.customer("everything")
	expires := at.now().Add(time.Minute)
	live := p.offeredUntil(dana.id, expires)
	imported := p.sentByImport(dana.id, expires)
	again := p.offeredUntil(dana.id, expires)
	until(t, "the reaction has dealt with all three", func() bool {
		return strings.Contains(p.send(http.MethodGet, "/metrics", "", "").text,
			`portal_reaction_handled_total{by="wake-up",reaction="quote-expiry"} 3`)
	})
	at.forward(2 * time.Minute)
	p.found("quote-"+live, "QuoteExpired")
	p.found("quote-"+again, "QuoteExpired")
	if n := p.jobs("quote-" + imported); n != 0 {
		t.Errorf("%d jobs for an imported quote", n)
	}
	p.then("quote-"+imported, "QuoteDrafted", "QuoteSent")
}

// sentByImport is a quote as imports record it.
func (p *running) sentByImport(customer string, expires time.Time) string {
	p.t.Helper()
	m, err := p.server.room.SystemCommand(p.business, "test", "imported")
	if err != nil {
		p.t.Fatal(err)
	}
	m.Origin = eventstore.OriginImport
	id := eventstore.NewID(m.CommandID, "quote").String()
	for _, c := range []eventstore.Command[quote.State, quote.Event]{
		quote.Draft{
			QuoteID: id, BusinessID: p.business, CustomerID: customer, Reference: "Q-0", Currency: "EUR",
			Offer: quote.Offer{Title: "Boiler", Lines: []lines.Line{{ID: "boiler", Description: "Boiler", Quantity: 1000, UnitPrice: money.Money{Amount: 5, Currency: "EUR"}}}, ExpiresAt: expires}, At: m.RecordedAt,
		},
		quote.Send{At: m.RecordedAt},
	} {
		m.CommandID = eventstore.NewID(m.CommandID, "next")
		if _, err := p.server.room.Quotes.Execute(p.t.Context(), quote.Stream(id), m, c); err != nil {
			p.t.Fatal(err)
		}
	}
	return id
}
