package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"portal.example/domain/account"
	"portal.example/domain/quote"
	"portal.example/internal/api"
	"portal.example/internal/identity"
)

// Whatever the document does not mark as open answers 401 without a token,
// before it looks at anything else.
func TestEverythingNeedsAToken(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	var document struct {
		Paths map[string]map[string]struct {
			Security *[]any
		}
	}
	if err := json.Unmarshal([]byte(p.send(http.MethodGet, "/api/openapi.json", "", "").text), &document); err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	tried := 0
	for path, methods := range document.Paths {
		for method, op := range methods {
			if op.Security != nil && len(*op.Security) == 0 {
				continue
			}
			tried++
			path := parameter.ReplaceAllString(path, "nobody")
			if a := p.send(strings.ToUpper(method), path, "", "{"); a.status != http.StatusUnauthorized {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
			p.send(strings.ToUpper(method), path, "pk_nonsense", "{").refused(401, "token_unknown")
		}
	}
	if tried < 30 {
		t.Errorf("only %d operations in the document", tried)
	}
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	p := serveTest(t)

	added := p.post("/customers", p.office, `{"name":"Dana Reyes","language":"ja"}`, "Idempotency-Key", "one").must(201)
	id := added.id()
	property := p.post("/customers/"+id+"/properties", p.office, `{"name":"Home","address":"1 Main St"}`).must(201).id()
	unit := p.post("/customers/"+id+"/properties/"+property+"/units", p.office, `{"name":"Attic"}`).must(201).id()
	contact := p.post("/customers/"+id+"/contacts", p.office,
		`{"name":"Lee","rights":{"access":"view","propertyId":"`+property+`","unitId":"`+unit+`"}}`).must(201).id()
	p.post("/customers/"+id+"/contacts/"+contact+"/rights", p.office, `{"access":"everything"}`).must(200)

	events := p.then("customer-"+id, "CustomerAdded", "CustomerPropertyAdded", "CustomerUnitAdded",
		"CustomerContactAdded", "CustomerContactRightsChanged")
	m := events[0].Metadata
	if m.Business != p.business || m.Operation != "customers.add" || m.Actor.Kind != "staff" || m.Origin != "live" || m.Session.Method != "api-key" {
		t.Errorf("metadata %+v", m)
	}
	if raw := string(events[0].Record.Data); strings.Contains(raw, "Dana") {
		t.Errorf("a name in the clear: %s", raw)
	}
	if added.header.Get("ETag") != `"1"` || added.header.Get("Portal-Position") != events[0].Record.Position.String() {
		t.Errorf("headers %v", added.header)
	}

	p.post("/customers", p.office, `{"name":""}`).refused(422, "required")
	p.post("/customers/"+id+"/contacts", p.office, `{"name":"Lee","rights":{"access":"view","propertyId":"`+id+`"}}`).refused(422, "unknown_place")
	p.post("/customers/"+id+"/contacts", p.office, `{"name":"Lee"}`, "If-Match", `"1"`).refused(412, "version_mismatch")
	p.post("/customers/nobody/properties", p.office, `{"name":"Home"}`).refused(404, "customer_not_found")
	p.post("/customers", p.token(identity.Key{Business: p.business, Role: api.Auditor}), `{"name":"Eve"}`).refused(403, "role_forbidden")
}

// The same key gets the same answer and leaves one event; with another request
// it is refused; another business's staff do not even find the record.
func TestIdempotencyAndTenancy(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	first := p.post("/customers", p.office, `{"name":"Dana"}`, "Idempotency-Key", "k").must(201)
	again := p.post("/customers", p.office, `{"name":"Dana"}`, "Idempotency-Key", "k").must(201)
	if first.id() != again.id() || first.header.Get("Portal-Position") != again.header.Get("Portal-Position") {
		t.Errorf("answers %v and %v", first.body, again.body)
	}
	p.then("customer-"+first.id(), "CustomerAdded")
	p.post("/customers", p.office, `{"name":"Eve"}`, "Idempotency-Key", "k").refused(422, "idempotency_key_reused")
	if other := p.post("/customers", p.office, `{"name":"Dana"}`).must(201); other.id() == first.id() {
		t.Error("without a key a request is a new one")
	}

	second := p.post("/customers", p.office, `{"name":"Eve"}`).must(201).id()
	one := p.post("/customers/"+first.id()+"/contacts", p.office, `{"name":"Lee"}`, "Idempotency-Key", "k").must(201)
	two := p.post("/customers/"+second+"/contacts", p.office, `{"name":"Lee"}`, "Idempotency-Key", "k").must(201)
	if one.id() == two.id() {
		t.Error("one key on two records made one contact")
	}

	stranger := p.token(identity.Key{Business: p.register("other"), Role: api.Owner})
	p.post("/customers/"+first.id()+"/properties", stranger, `{"name":"Home"}`).refused(404, "customer_not_found")
	p.post("/quotes", stranger, `{"customerId":"`+first.id()+`","reference":"Q-1","currency":"EUR","offer":`+offer+`}`).
		refused(422, "unknown_customer")
	p.then("customer-"+first.id(), "CustomerAdded", "CustomerContactAdded")
}

func TestQuotes(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	dana, eve := p.customer("everything"), p.customer("everything")
	id := p.sentQuote(dana.id)
	path := "/quotes/" + id

	asked := p.post(path+"/question", dana.token, `{"version":1,"text":"Is the pump needed?"}`).must(201).id()
	p.post(path+"/answer", p.office, `{"questionId":"`+asked+`","text":"Only on the third floor."}`).must(200)
	p.post(path+"/request-changes", dana.token, `{"version":1,"text":"Cheaper, please"}`).must(200)

	cheaper := strings.Replace(offer, "200000", "180000", 1)
	p.post(path+"/revise", p.office, `{"offer":`+cheaper+`}`).refused(428, "if_match_required")
	p.post(path+"/revise", p.office, `{"offer":`+cheaper+`}`, "If-Match", `"7"`).refused(412, "version_mismatch")
	p.post(path+"/revise", p.office, `{"offer":`+cheaper+`}`, "If-Match", `"1"`).must(200)
	p.post(path+"/send", p.office, "").must(200)

	sign := func(version int) string {
		return fmt.Sprintf(`{"version":%d,"options":["pump"],"signedName":"Dana Reyes","consentVersion":"1"}`, version)
	}
	late := p.post(path+"/approve", dana.token, sign(1)).refused(409, "quote_superseded")
	if changes := fmt.Sprint(late.body["details"]); !strings.Contains(changes, "lines[boiler].unitPrice") {
		t.Errorf("it does not say what changed: %v", changes)
	}
	p.post(path+"/approve", eve.token, sign(2)).refused(404, "quote_not_found")
	p.post(path+"/approve", p.office, sign(2)).refused(403, "role_forbidden")
	p.post(path+"/approve", dana.token, sign(2)).must(200)
	p.post(path+"/decline", dana.token, `{"version":2,"reason":"No"}`).refused(409, "quote_approved")

	events := p.then("quote-"+id, "QuoteDrafted", "QuoteSent", "QuoteQuestionAsked", "QuoteQuestionAnswered",
		"QuoteChangesRequested", "QuoteRevised", "QuoteSent", "QuoteApproved")
	approved := events[7]
	if e := approved.Event.(quote.Approved); e.Version != 2 || e.Total.Amount != 231800 || e.ContactID != dana.contact || len(e.Hash) != 64 {
		t.Errorf("approved %+v", e)
	}
	if err := p.server.codec.OpenMetadata(t.Context(), events[7:8]); err != nil || events[7].Metadata.IP != "127.0.0.1" {
		t.Errorf("signed from %q, %v", events[7].Metadata.IP, err)
	}
}

func TestRightsOfContacts(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	viewer, billing := p.customer("view"), p.customer("billing")
	p.post("/quotes/"+p.sentQuote(viewer.id)+"/decline", viewer.token, `{"version":1,"reason":"No"}`).refused(403, "rights_missing")
	p.post("/requests", billing.token, `{"kind":"lead","subject":"A tap"}`).refused(403, "rights_missing")
	p.post("/quotes/"+p.sentQuote(billing.id)+"/decline", billing.token, `{"version":1,"reason":"No"}`).must(200)
}

func TestViewingIsAFact(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	dana, eve := p.customer("everything"), p.customer("everything")
	q, i := p.sentQuote(dana.id), p.issuedInvoice(dana.id)
	draft := p.draftInvoice(dana.id)
	views := p.server.views()
	see := func(token string, view func(api.Principal) error, want string) {
		t.Helper()
		who, err := p.server.tokens.Authenticate(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := view(who); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	quoteView := func(who api.Principal) error { return views.QuoteViewed(t.Context(), who, q, 1) }
	invoiceView := func(who api.Principal) error { return views.InvoiceViewed(t.Context(), who, i, 3) }
	for range 2 { // the same view within ten minutes
		see(dana.token, quoteView, "")
		see(dana.token, invoiceView, "")
		see(p.office, quoteView, "")
	}
	see(dana.token, func(who api.Principal) error { return views.QuoteViewed(t.Context(), who, q, 2) },
		"not_yet: the document has just changed; ask again") // a read model that is not at the log's version
	see(eve.token, quoteView, "there is no such quote")
	see(eve.token, invoiceView, "there is no such invoice")
	see(dana.token, func(who api.Principal) error { return views.InvoiceViewed(t.Context(), who, draft, 1) }, "there is no such invoice")
	p.then("quote-"+q, "QuoteDrafted", "QuoteSent", "QuoteViewed", "QuoteViewedByStaff")
	p.then("invoice-"+i, "InvoiceDrafted", "InvoiceFrozen", "InvoiceIssued", "InvoiceViewed")
}

func TestInvoicesAndPayments(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	dana, eve := p.customer("everything"), p.customer("everything")
	id := p.draftInvoice(dana.id)
	path := "/invoices/" + id
	pay := func(amount int) string {
		return fmt.Sprintf(`{"method":"cash","amount":{"amount":%d,"currency":"EUR"}}`, amount)
	}
	p.post(path+"/payments", p.office, pay(100)).refused(409, "invoice_not_issued")
	p.post(path+"/issue", p.office, `{"issuedOn":"2026-03-14","dueOn":"2026-03-01"}`).refused(422, "before_issue")
	issued := p.post(path+"/issue", p.office, `{}`, "Idempotency-Key", "i").must(200)
	again := p.post(path+"/issue", p.office, `{}`, "Idempotency-Key", "i").must(200)
	if issued.body["number"] != 1.0 || again.body["number"] != 1.0 || issued.header.Get("Portal-Position") != again.header.Get("Portal-Position") {
		t.Errorf("issued %v, again %v", issued.body, again.body)
	}
	p.post(path+"/send", p.office, "").must(200)
	p.post(path+"/late-fee", p.office, `{"description":"Late","amount":{"amount":500,"currency":"EUR"}}`).must(201)

	p.post(path+"/payments", p.office, pay(0)).refused(422, "not_positive")
	p.post(path+"/payments", p.office, `{"method":"cash","amount":{"amount":1,"currency":"USD"}}`).refused(422, "currency_mismatch")
	p.post(path+"/payments", dana.token, pay(100)).refused(403, "role_forbidden")
	part := p.post(path+"/payments", p.office, pay(4000), "Idempotency-Key", "p").must(201)
	repeat := p.post(path+"/payments", p.office, pay(4000), "Idempotency-Key", "p").must(201)
	if fmt.Sprint(part.body) != fmt.Sprint(repeat.body) {
		t.Errorf("paid %v, repeated %v", part.body, repeat.body)
	}
	rest := p.post(path+"/payments", p.office, pay(7000)).must(201)
	if got := fmt.Sprint(rest.body["allocated"], rest.body["surplus"], rest.body["balance"]); got !=
		"map[amount:6500 currency:EUR] map[amount:500 currency:EUR] map[amount:0 currency:EUR]" {
		t.Errorf("settled as %s", got)
	}
	p.then("payment-"+part.id(), "PaymentRecorded", "PaymentAllocated")
	p.then("payment-"+rest.id(), "PaymentRecorded", "PaymentAllocated", "PaymentCredited")
	credited := p.then("account-"+dana.id, "AccountCredited")
	if e := credited[0].Event.(account.Credited); e.Amount.Amount != 500 || e.SourceID != rest.id() {
		t.Errorf("credited %+v", e)
	}

	p.post(path+"/void", p.office, `{"reason":"A mistake"}`).refused(409, "invoice_paid")
	p.post(path+"/credit", p.office, `{"amount":{"amount":300,"currency":"EUR"},"reason":"Good will"}`).must(201)
	p.then("account-"+dana.id, "AccountCredited", "AccountCredited")
	p.post(path+"/disputes", eve.token, `{"reason":"Not mine"}`).refused(404, "invoice_not_found")
	dispute := p.post(path+"/disputes", dana.token, `{"reason":"It still leaks"}`).must(201).id()
	p.post(path+"/disputes/"+dispute+"/answer", p.office, `{"text":"We come again"}`).must(200)
	p.post(path+"/disputes/"+dispute+"/decide", p.office, `{"outcome":"upheld"}`).must(200)
	p.post(path+"/disputes/"+dispute+"/notify", p.office, `{}`).must(200)
	p.then("invoice-"+id, "InvoiceDrafted", "InvoiceFrozen", "InvoiceIssued", "InvoiceSent", "InvoiceLateFeeAdded",
		"InvoicePaymentReceived", "InvoicePaymentReceived", "InvoiceCreditNoteIssued",
		"InvoiceDisputeOpened", "InvoiceDisputeAnswered", "InvoiceDisputeDecided", "InvoiceDisputeOutcomeNotified")

	p.post("/invoices/"+p.draftInvoice(dana.id)+"/disputes", dana.token, `{"reason":"x"}`).refused(404, "invoice_not_found")
	voided := p.issuedInvoice(dana.id)
	p.post("/invoices/"+voided+"/void", p.office, `{"reason":"A mistake"}`).must(200)
	p.then("invoiceregister-"+p.business, "InvoiceNumberTaken", "InvoiceNumberTaken")
}

func TestRequests(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	dana, eve := p.customer("everything"), p.customer("everything")
	property := p.post("/customers/"+eve.id+"/properties", p.office, `{"name":"Home"}`).must(201).id()

	id := p.post("/requests", dana.token, `{"kind":"lead","subject":"The tap drips","channel":"Post","reference":"mine"}`).must(201).id()
	p.post("/requests", dana.token, `{"kind":"lead","subject":"x","customerId":"`+eve.id+`"}`).refused(404, "customer_not_found")
	p.post("/requests", dana.token, `{"kind":"lead","subject":"x","propertyId":"`+property+`"}`).refused(422, "unknown_place")
	p.post("/requests", p.office, `{"kind":"lead","subject":"x","channel":"Desk"}`).refused(422, "not_an_id")
	p.post("/requests", p.office, `{"kind":"lead","subject":"x","channel":"portal","customerId":"`+dana.id+`"}`).refused(403, "only_contact")
	p.post("/requests", p.office, `{"kind":"lead","subject":"x","channel":"Desk","customerId":"`+dana.id+`"}`).must(201)

	technician := p.token(identity.Key{Business: p.business, Role: api.Technician})
	path := "/requests/" + id
	p.post(path+"/triage", technician, `{"step":"Looked at","handler":{"staffId":"Jo","team":"North"}}`).must(200)
	p.post(path+"/ask", technician, `{"question":"Which tap?"}`).must(200)
	p.post(path+"/answer", eve.token, `{"text":"x"}`).refused(404, "request_not_found")
	p.post(path+"/answer", dana.token, `{"text":"The kitchen's"}`).must(200)
	p.post(path+"/accept", technician, `{"next":"quote"}`).must(200)
	p.post(path+"/decline", technician, `{"reason":"x"}`).refused(409, "request_accepted")
	events := p.then("request-"+id, "RequestFiled", "RequestTriaged", "RequestAskedBack", "RequestReplied", "RequestAccepted")
	if raw := string(events[0].Record.Data); !strings.Contains(raw, `"channel":"portal"`) || strings.Contains(raw, "mine") || strings.Contains(raw, "drips") {
		t.Errorf("filed %s", raw)
	}
}

func TestBusinessSwitchesItsPortal(t *testing.T) {
	t.Parallel()
	p := serveTest(t)
	owner := p.token(identity.Key{Business: p.business, Role: api.Owner})
	p.post("/business/close-portal", p.office, "").refused(403, "role_forbidden")
	p.post("/business/close-portal", owner, "").must(200)
	dana := p.customer("everything") // staff go on
	p.post("/requests", dana.token, `{"kind":"lead","subject":"x"}`).refused(403, "portal_closed")
	p.send(http.MethodGet, "/api/v1/quotes", dana.token, "").refused(403, "portal_closed")
	p.post("/business/open-portal", owner, "").must(200)
	p.then("business-"+p.business, "BusinessRegistered", "BusinessPortalOpened", "BusinessPortalClosed", "BusinessPortalOpened")
}
