package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/commands/businesses"
	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/internal/api"
	"portal.example/internal/database"
	"portal.example/internal/identity"
	"portal.example/internal/postgres"
)

// running is a portal with one business, served on a free port.
type running struct {
	t        *testing.T
	server   *server
	url      string
	data     string
	business string
	office   string // token
}

// migratedDatabase is the URL of a fresh database.
func migratedDatabase(t *testing.T) string {
	t.Helper()
	return postgres.ForTestWithTemplate(t, "portal", func(url string) error {
		return database.Migrate(context.Background(), url)
	})
}

// serveTest starts the portal's real wiring on a database and a log of its own.
func serveTest(t *testing.T) *running {
	t.Helper()
	return serveWith(t, config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)})
}

func serveWith(t *testing.T, cfg config) *running {
	t.Helper()
	return serveAt(t, cfg, time.Now).opened()
}

// opened registers the business that tests act for.
func (p *running) opened() *running {
	p.t.Helper()
	p.business = p.register("acme")
	p.office = p.token(identity.Key{Business: p.business, Role: api.Office})
	return p
}

// serveAt starts the wiring with a clock of the test's.
func serveAt(t *testing.T, cfg config, now func() time.Time) *running {
	t.Helper()
	s, err := startServer(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.room.Now = now
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return &running{t: t, server: s, url: "http://" + s.listener.Addr().String(), data: cfg.data}
}

func (p *running) register(slug string) string {
	p.t.Helper()
	id, err := businesses.Register(p.t.Context(), p.server.room, businesses.Registration{
		Slug: slug, Name: "Acme", Currency: "EUR", TimeZone: rome, Language: "en",
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

var rome = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err)
	}
	return zone
}()

func (p *running) token(k identity.Key) string {
	p.t.Helper()
	token, _, err := p.server.tokens.Create(p.t.Context(), k)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// answer is what the portal said.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	body   map[string]any
}

// send makes a request. The body is JSON as text; headers come in pairs.
func (p *running) send(method, path, token, body string, headers ...string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a := answer{t: p.t, status: response.StatusCode, header: response.Header, text: string(raw)}
	if bytes.HasPrefix(raw, []byte("{")) {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			p.t.Fatalf("%s: %v", raw, err)
		}
	}
	return a
}

func (p *running) post(path, token, body string, headers ...string) answer {
	p.t.Helper()
	return p.send(http.MethodPost, "/api/v1"+path, token, body, headers...)
}

// must is the answer, if its status is this one.
func (a answer) must(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %v", a.status, status, a.body)
	}
	return a
}

// refused demands a problem of this status and code.
func (a answer) refused(status int, code string) answer {
	a.t.Helper()
	if a.status != status || a.body["code"] != code {
		a.t.Errorf("%d %v, want %d %s: %v", a.status, a.body["code"], status, code, a.body)
	}
	return a
}

func (a answer) id() string {
	a.t.Helper()
	id, ok := a.body["id"].(string)
	if !ok {
		a.t.Fatalf("no id in %v", a.body)
	}
	return id
}

// then demands that the stream has these types of events and no others.
func (p *running) then(stream string, want ...string) []eventstore.Decoded {
	p.t.Helper()
	var records []eventstore.Recorded
	for e, err := range p.server.log.ReadStream(p.t.Context(), stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		records = append(records, e)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Type)
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s has %v, want %v", stream, got, want)
	}
	decoded, err := p.server.codec.DecodeBatch(p.t.Context(), records)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, d := range decoded {
		if d.Err != nil {
			p.t.Error(d.Err)
		}
	}
	return decoded
}

// customer is a customer with a contact who has a token.
type customerOf struct {
	id, contact, token string
}

func (p *running) customer(rights string) customerOf {
	p.t.Helper()
	id := p.post("/customers", p.office, `{"name":"Dana Reyes"}`).must(201).id()
	contact := p.post("/customers/"+id+"/contacts", p.office,
		`{"name":"Dana Reyes","email":"dana@example.com","rights":{"access":"`+rights+`"}}`).must(201).id()
	return customerOf{id, contact, p.token(identity.Key{
		Business: p.business, Role: api.Customer, CustomerID: id, ContactID: contact,
	})}
}

const offer = `{"title":"New boiler","lines":[` +
	`{"id":"boiler","description":"Boiler","quantity":1000,"unitPrice":{"amount":200000,"currency":"EUR"},"taxRate":220000},` +
	`{"id":"pump","description":"Pump","quantity":1000,"unitPrice":{"amount":10000,"currency":"EUR"},"taxRate":220000,"optional":true}]}`

// sentQuote is a quote that the customer holds.
func (p *running) sentQuote(customer string) string {
	p.t.Helper()
	id := p.post("/quotes", p.office, `{"customerId":"`+customer+`","reference":"Q-1","currency":"EUR","offer":`+offer+`}`).must(201).id()
	p.post("/quotes/"+id+"/send", p.office, "").must(200)
	return id
}

// draftInvoice is an invoice over 100.00 EUR without a number.
func (p *running) draftInvoice(customer string) string {
	p.t.Helper()
	return p.post("/invoices", p.office, `{"customerId":"`+customer+`","currency":"EUR","lines":[`+
		`{"id":"work","description":"Work","quantity":1000,"unitPrice":{"amount":10000,"currency":"EUR"},"taxRate":0}]}`).must(201).id()
}

func (p *running) issuedInvoice(customer string) string {
	p.t.Helper()
	id := p.draftInvoice(customer)
	p.post("/invoices/"+id+"/issue", p.office, "{}").must(200)
	return id
}

// freeze does the first step of issuing, and no more.
func (p *running) freeze(id string) {
	p.t.Helper()
	day := domain.Date{Year: 2026, Month: 3, Day: 14}
	m := eventstore.Metadata{
		CommandID: uuid.New(), Business: p.business, Operation: "test",
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, Origin: eventstore.OriginLive, RecordedAt: time.Now(),
	}
	_, err := p.server.room.Invoices.Execute(p.t.Context(), invoice.Stream(id), m,
		invoice.Freeze{IssuedOn: day, DueOn: domain.Date{Year: 2026, Month: 4, Day: 13}, At: m.RecordedAt})
	if err != nil {
		p.t.Fatal(err)
	}
}

// eventually waits until the stream has an event of this type, and tells where.
func (p *running) eventually(ctx context.Context, stream, eventType string) eventstore.Position {
	p.t.Helper()
	subscription := p.server.log.Subscribe(ctx, eventstore.SubscribeOptions{Filter: eventstore.StreamPrefix(stream)})
	defer subscription.Close()
	for {
		batch, err := subscription.NextBatch(ctx, 100)
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", eventType, err)
		}
		for _, n := range batch {
			if n.Kind == eventstore.EventAppeared && n.Event.Type == eventType {
				return n.Event.Position
			}
		}
	}
}
