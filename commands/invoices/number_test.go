package invoices_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/commands"
	"portal.example/commands/invoices"
	"portal.example/domain/account"
	"portal.example/domain/business"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/domain/money"
	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/eventstore/node"
	"portal.example/internal/api"
)

const (
	businessID = "11111111-1111-4111-8111-111111111111"
	customerID = "22222222-2222-4222-8222-222222222222"
)

// lab is a log of its own.
type lab struct {
	t      *testing.T
	client *eventstore.Client
	codec  *eventstore.Codec
	sound  *commands.Room // on a log that does not fail
}

func newLab(t *testing.T) *lab {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	codec, err := eventstore.NewCodec(codectest.NewKeyring(), commands.EventTypes()...)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, client: client, codec: codec}
	l.sound = l.room(client)
	m := l.system()
	if _, err := l.sound.Businesses.Execute(t.Context(), business.Stream(businessID), m, business.Register{
		BusinessID: businessID, Slug: "acme", Name: "Acme", Currency: "EUR", TimeZone: time.UTC, Language: "en", At: m.RecordedAt,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.sound.Customers.Execute(t.Context(), customer.Stream(customerID), m, customer.Add{
		CustomerID: customerID, BusinessID: businessID, Name: "Dana", Language: "en", At: m.RecordedAt,
	}); err != nil {
		t.Fatal(err)
	}
	return l
}

// room is what one instance of the portal works in, with caches of its own.
func (l *lab) room(log eventstore.Log) *commands.Room {
	l.t.Helper()
	store, err := commands.NewStore(log, l.codec)
	if err != nil {
		l.t.Fatal(err)
	}
	return &commands.Room{Store: store, Secret: []byte("secret"), Now: time.Now}
}

func (l *lab) system() eventstore.Metadata {
	return eventstore.Metadata{
		CommandID: uuid.New(), Business: businessID, Operation: "test",
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, Origin: eventstore.OriginLive, RecordedAt: time.Now(),
	}
}

// staff is everybody who comes here.
type staff struct{}

func (staff) Authenticate(context.Context, string) (api.Principal, error) {
	return api.Principal{Business: businessID, Kind: api.KindStaff, Role: api.Office, ActorID: "jo", SessionID: "s"}, nil
}

// instance serves the use cases of invoices over a log.
func (l *lab) instance(log eventstore.Log) http.Handler {
	a, router := api.New(api.Config{Tokens: staff{}})
	invoices.Register(a, l.room(log))
	return router
}

// post makes a request and returns its status and the answer's body.
func post(h http.Handler, path, key, body string) (int, string) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// drafted makes an invoice over 100.00 EUR.
func (l *lab) drafted(h http.Handler, key string) string {
	status, body := post(h, "/invoices", key, `{"customerId":"`+customerID+`","currency":"EUR","lines":[`+
		`{"id":"work","description":"Work","quantity":1000,"unitPrice":{"amount":10000,"currency":"EUR"},"taxRate":0}]}`)
	_, rest, found := strings.Cut(body, `"id":"`)
	if status != http.StatusCreated || !found {
		l.t.Errorf("drafting: %d %s", status, body)
		return ""
	}
	return rest[:36]
}

// flaky is a log whose appends are lost on the way there, or whose answers are
// lost on the way back: to whoever appends it is as if they had been killed.
type flaky struct {
	eventstore.Log
	mu     sync.Mutex
	random *rand.Rand
	lost   int
}

func (f *flaky) Append(
	ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.Proposed,
) (eventstore.Appended, error) {
	f.mu.Lock()
	fate := f.random.IntN(6)
	if fate < 2 {
		f.lost++
	}
	f.mu.Unlock()
	failure := &eventstore.Error{Op: "append to", Stream: stream, Kind: eventstore.ErrUnavailable}
	if fate == 0 {
		return eventstore.Appended{}, failure
	}
	appended, err := f.Log.Append(ctx, stream, expected, events...)
	if fate == 1 && err == nil {
		return eventstore.Appended{}, failure
	}
	return appended, err
}

// events reads a stream.
func (l *lab) events(stream string) []any {
	l.t.Helper()
	var records []eventstore.Recorded
	for e, err := range l.client.ReadStream(l.t.Context(), stream, 0) {
		if err != nil {
			l.t.Fatal(err)
		}
		records = append(records, e)
	}
	decoded, err := l.codec.DecodeBatch(l.t.Context(), records)
	if err != nil {
		l.t.Fatal(err)
	}
	events := make([]any, len(decoded))
	for i, d := range decoded {
		if d.Err != nil {
			l.t.Fatal(d.Err)
		}
		events[i] = d.Event
	}
	return events
}

// swept runs a sweeper until done says that all is finished.
func (l *lab) swept(done func() bool) {
	l.t.Helper()
	ctx, stop := context.WithTimeout(l.t.Context(), time.Minute)
	defer stop()
	sweeper := &invoices.Sweeper{
		Room: l.room(l.client), Client: l.client, Logger: slog.New(slog.DiscardHandler), Every: 20 * time.Millisecond,
	}
	ended := make(chan error, 1)
	go func() { ended <- sweeper.Run(ctx) }()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			l.t.Fatal("not all that was interrupted was finished within a minute")
		}
	}
	stop()
	if err := <-ended; err != nil {
		l.t.Error(err)
	}
}

func look[S eventstore.State[S, E], E any](l *lab, c *eventstore.Category[S, E], stream string) S {
	l.t.Helper()
	state, err := commands.Look(l.t.Context(), c, stream)
	if err != nil {
		l.t.Fatal(err)
	}
	return state
}

// Fifty writers on two instances issue invoices while one append in three goes
// wrong. Half of them try again, as a client would; the others are never heard
// of any more. In the end every frozen invoice has one number, and the numbers
// are 1 to n.
func TestInvoiceNumbersHaveNoGapsAndNoDoubles(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const writers, each = 50, 2
	sound := l.instance(l.client)
	var ids [writers][each]string
	inParallel(writers, func(w int) {
		for i := range each {
			ids[w][i] = l.drafted(sound, fmt.Sprintf("draft %d %d", w, i))
		}
	})

	log := &flaky{Log: l.client, random: rand.New(rand.NewPCG(1, 2))}
	instances := []http.Handler{l.instance(log), l.instance(log)}
	inParallel(writers, func(w int) {
		for _, id := range ids[w] {
			for try := range 1 + w%2*5 {
				if status, body := post(instances[(w+try)%2], "/invoices/"+id+"/issue", id, `{"issuedOn":"2026-03-14"}`); status == http.StatusOK {
					break
				} else if status != http.StatusServiceUnavailable {
					t.Errorf("issuing: %d %s", status, body)
				}
			}
		}
	})
	if log.lost < writers {
		t.Errorf("only %d appends went wrong", log.lost)
	}

	var frozen int
	l.swept(func() bool {
		frozen = 0
		for w := range writers {
			for _, id := range ids[w] {
				switch look(l, l.sound.Invoices, invoice.Stream(id)).Status {
				case invoice.StatusFrozen:
					return false
				case invoice.StatusIssued:
					frozen++
				default:
				}
			}
		}
		return true
	})

	taken := l.events(register.Stream(businessID))
	if len(taken) != frozen || frozen < writers {
		t.Errorf("%d numbers for %d invoices", len(taken), frozen)
	}
	seen := map[string]bool{}
	for i, e := range taken {
		number := e.(register.NumberTaken)
		if number.Number != int64(i+1) || seen[number.InvoiceID] {
			t.Errorf("event %d of the register is %+v, which is not new", i+1, number)
		}
		seen[number.InvoiceID] = true
		if s := look(l, l.sound.Invoices, invoice.Stream(number.InvoiceID)); s.Number != number.Number {
			t.Errorf("invoice %s has number %d, in the register it has %d", s.ID, s.Number, number.Number)
		}
	}
}

func inParallel(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// Payments and credit notes take three streams each. Whatever is lost between
// them, the money is all there in the end, and once.
func TestInterruptedPaymentsAreSettledOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sound := l.instance(l.client)
	const writers = 20
	var ids [writers]string
	for w := range writers {
		ids[w] = l.drafted(sound, fmt.Sprintf("draft %d", w))
		if status, body := post(sound, "/invoices/"+ids[w]+"/issue", "issue", `{}`); status != http.StatusOK {
			t.Fatalf("issuing: %d %s", status, body)
		}
	}
	log := &flaky{Log: l.client, random: rand.New(rand.NewPCG(3, 4))}
	failing := l.instance(log)
	const paid = `{"method":"cash","amount":{"amount":6000,"currency":"EUR"}}`
	inParallel(writers, func(w int) {
		for _, key := range []string{"first", "second"} { // equal payments with two keys are two
			for range 1 + w%2*8 {
				status, body := post(failing, "/invoices/"+ids[w]+"/payments", key, paid)
				if status == http.StatusCreated {
					break
				}
				if status != http.StatusServiceUnavailable {
					t.Errorf("paying: %d %s", status, body)
				}
			}
		}
		post(failing, "/invoices/"+ids[w]+"/credit", "note", `{"amount":{"amount":1000,"currency":"EUR"},"reason":"Good will"}`)
	})

	var owed, credit money.Money
	l.swept(func() bool {
		if !settledAll(l) {
			return false
		}
		owed = money.Zero("EUR")
		for _, id := range ids {
			owed = owed.Plus(look(l, l.sound.Invoices, invoice.Stream(id)).Credit)
		}
		credit = look(l, l.sound.Accounts, account.Stream(customerID)).Balance("EUR")
		return credit == owed
	})
	if credit.Amount == 0 || log.lost < writers {
		t.Errorf("credit %s after %d losses shows little", credit, log.lost)
	}
	for w := 1; w < writers; w += 2 { // those who tried again until it was done
		if s := look(l, l.sound.Invoices, invoice.Stream(ids[w])); s.Paid.Amount != 12000 || len(s.Payments) != 2 {
			t.Errorf("paid %s in %d payments", s.Paid, len(s.Payments))
		}
	}
}

// settledAll says whether every payment in the log is settled, and on its
// invoice.
func settledAll(l *lab) bool {
	l.t.Helper()
	for e, err := range l.client.ReadAll(l.t.Context(), eventstore.Start()) {
		if err != nil {
			l.t.Fatal(err)
		}
		if e.Type == "PaymentRecorded" && look(l, l.sound.Payments, e.Stream).Unsettled().Amount > 0 {
			return false
		}
	}
	return true
}
