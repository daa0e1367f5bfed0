package readapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/internal/api"
	"portal.example/projections/businesses"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/quotes"
	"portal.example/projections/requests"
	"portal.example/projections/timeline"
	"portal.example/readapi"
)

// tokens are the principals of the tests by their tokens.
type tokens map[string]api.Principal

func (t tokens) Authenticate(_ context.Context, token string) (api.Principal, error) {
	if who, ok := t[token]; ok {
		return who, nil
	}
	return api.Principal{}, api.ErrUnknownToken
}

func contact(id, customer string) api.Principal {
	return api.Principal{
		Business: projectiontest.BusinessID, Kind: api.KindCustomer, Role: api.Customer, ActorID: id,
		CustomerID: customer, ContactID: id, SessionID: "s-" + id,
	}
}

func member(business string, role api.Role) api.Principal {
	return api.Principal{Business: business, Kind: api.KindStaff, Role: role, ActorID: projectiontest.Sam.ID, SessionID: "s"}
}

var everyone = tokens{
	"owner":   member(projectiontest.BusinessID, api.Owner),
	"auditor": member(projectiontest.BusinessID, api.Auditor),
	"other":   member(projectiontest.OtherID, api.Owner),
	"dana":    contact(projectiontest.DanaID, projectiontest.ReyesID),
	"billie":  contact(projectiontest.BillieID, projectiontest.ReyesID),
	"terry":   contact(projectiontest.TerryID, projectiontest.ReyesID),
	"nobody":  contact(projectiontest.ID(99), projectiontest.ReyesID), // whose contact is not known yet
}

// views takes note of the views, or fails.
type views struct {
	mu   sync.Mutex
	seen []string
	err  error
}

func (v *views) note(who api.Principal, what string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil {
		v.seen = append(v.seen, string(who.Kind)+" "+what)
	}
	return v.err
}

func (v *views) QuoteViewed(_ context.Context, who api.Principal, id string, _ int) error {
	return v.note(who, "quote "+id)
}

func (v *views) InvoiceViewed(_ context.Context, who api.Principal, id string, _ int) error {
	return v.note(who, "invoice "+id)
}

// world is the sample behind the read API.
type world struct {
	t       *testing.T
	handler http.Handler
	views   *views
	live    *projectiontest.Live
	last    string // position of the last event
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, views: &views{}}
	w.live = projectiontest.Follow(t, businesses.Projection{}, customers.Projection{}, quotes.Projection{},
		invoices.Projection{}, requests.Projection{}, timeline.Projection{})
	mine, other := projectiontest.Sample()
	w.last = w.live.Append(t, mine, other).String()
	a, router := api.New(api.Config{Tokens: everyone})
	readapi.Register(a, readapi.Deps{
		Pool: w.live.Pool, Runner: w.live.Runner, Views: w.views,
		Now: func() time.Time { return projectiontest.Noon },
	})
	w.handler = router
	return w
}

type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   map[string]any
}

func (w *world) get(token, path string, headers ...string) answer {
	w.t.Helper()
	request := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/api/v1"+path, nil)
	request.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, request)
	a := answer{t: w.t, status: recorder.Code, header: recorder.Header()}
	if err := json.Unmarshal(recorder.Body.Bytes(), &a.body); err != nil {
		w.t.Fatalf("%s: %v: %s", path, err, recorder.Body)
	}
	return a
}

func (a answer) must(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %v", a.status, status, a.body)
	}
	return a
}

// ids are those of the items, shortened to what tells the sample's apart.
func (a answer) ids() string {
	a.t.Helper()
	return a.each("id", func(id string) string { return strings.TrimLeft(id[strings.LastIndex(id, "-")+1:], "0") })
}

func (a answer) each(field string, short func(string) string) string {
	a.must(http.StatusOK)
	var values []string
	for _, item := range a.body["items"].([]any) {
		values = append(values, short(item.(map[string]any)[field].(string)))
	}
	return strings.Join(values, " ")
}

func TestRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]func(*world){
		"lists": (*world).lists, "pages": (*world).pages, "who sees what": (*world).visibility, "records": (*world).records,
		"timelines": (*world).timelines, "dashboards": (*world).dashboards, "freshness": (*world).freshness,
		"bad input": (*world).badInput, "looking is recorded": (*world).looking,
	} {
		t.Run(name, func(t *testing.T) {
			with := *w
			with.t = t
			test(&with)
		})
	}
}

func (w *world) lists() {
	t := w.t
	tests := map[string]string{
		"/customers":                                  "11 10",
		"/customers?q=reyes":                          "10",
		"/customers?q=100%25":                         "11", // a percent sign is one
		"/customers?reference=C-10":                   "10",
		"/customers?q=%00":                            "",
		"/quotes":                                     "41 40",
		"/quotes?status=draft":                        "41",
		"/quotes?q=1042":                              "40",
		"/quotes?asked=true":                          "",
		"/invoices":                                   "53 52 51 50",
		"/invoices?status=issued":                     "53 51 50",
		"/invoices?paid=full":                         "50",
		"/invoices?paid=part":                         "51",
		"/invoices?paid=none":                         "53",
		"/invoices?overdue=true":                      "51",
		"/invoices?disputed=true":                     "",
		"/invoices?q=a53":                             "53",
		"/invoices?customer=" + projectiontest.ParkID: "53",
		"/requests":                                   "60",
		"/requests?waiting=true":                      "60",
		"/requests?kind=lead":                         "",
		"/requests?channel=portal":                    "60",
	}
	for path, want := range tests {
		if got := w.get("owner", path).ids(); got != want {
			t.Errorf("%s lists %q, want %q", path, got, want)
		}
	}
}

func (w *world) pages() {
	t := w.t
	for _, list := range []string{"/invoices", "/timeline", "/timeline?order=asc", "/customers"} {
		whole := w.get("owner", list).ids()
		separator := "?"
		if strings.Contains(list, "?") {
			separator = "&"
		}
		var all []string
		cursor := ""
		for range 100 {
			page := w.get("owner", list+separator+"limit=1&cursor="+url.QueryEscape(cursor))
			if ids := page.ids(); ids != "" {
				all = append(all, ids)
			}
			next, more := page.body["next"].(string)
			if !more {
				break
			}
			cursor = next
		}
		if got := strings.Join(all, " "); got != whole {
			t.Errorf("%s in pages is %q, want %q", list, got, whole)
		}
	}
}

func (w *world) visibility() {
	t := w.t
	tests := []struct{ token, path, want string }{
		{"other", "/customers", "12"},
		{"other", "/invoices", ""},
		{"auditor", "/invoices", "53 52 51 50"},
		{"dana", "/quotes", "40"}, // no drafts
		{"dana", "/quotes?q=Better", ""},
		{"dana", "/invoices", "51 50"},
		{"dana", "/requests", "60"},
		{"billie", "/invoices", "51 50"},
		{"billie", "/requests", ""},
		{"terry", "/invoices", "51"}, // of their flat
		{"terry", "/quotes", ""},
		{"terry", "/requests", ""},
		{"nobody", "/invoices", ""},
	}
	for _, test := range tests {
		if got := w.get(test.token, test.path).ids(); got != test.want {
			t.Errorf("%s sees %q at %s, want %q", test.token, got, test.path, test.want)
		}
	}
	missing := []struct{ token, path string }{
		{"other", "/customers/" + projectiontest.ReyesID},
		{"other", "/quotes/" + projectiontest.QuoteID},
		{"other", "/invoices/" + projectiontest.DueID + "/timeline"},
		{"dana", "/customers/" + projectiontest.ParkID},
		{"dana", "/invoices/" + projectiontest.ParksID},
		{"dana", "/invoices/" + projectiontest.ParksID + "/timeline"},
		{"dana", "/customers/" + projectiontest.ParkID + "/timeline"},
		{"dana", "/invoices/" + projectiontest.DraftID},
		{"dana", "/quotes/" + projectiontest.DraftQuoteID},
		{"terry", "/invoices/" + projectiontest.PaidID},
		{"billie", "/requests/" + projectiontest.RequestID},
		{"owner", "/quotes/" + projectiontest.ID(99)},
	}
	for _, test := range missing {
		w.get(test.token, test.path).must(http.StatusNotFound)
	}
	for _, path := range []string{"/customers", "/dashboards/money", "/dashboards/quotes", "/dashboards/requests"} {
		w.get("dana", path).must(http.StatusForbidden)
	}
	w.get("stranger", "/invoices").must(http.StatusUnauthorized)
}

func (w *world) records() {
	t := w.t
	toStaff := w.get("owner", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	toDana := w.get("dana", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"staff's version", toStaff.body["title"], "Better pump"},
		{"staff's ETag", toStaff.header.Get("ETag"), `"2"`},
		{"what the customer holds, to staff", toStaff.body["heldOffer"].(map[string]any)["title"], "New pump"},
		{"the customer's version", toDana.body["title"], "New pump"},
		{"the customer's offer", toDana.body["offer"].(map[string]any)["title"], "New pump"},
		{"the customer's ETag", toDana.header.Get("ETag"), `"1"`},
		{"the other offer, to the customer", toDana.body["heldOffer"], nil},
		{"the customer's total", toDana.body["total"], map[string]any{"amount": 40000.0, "currency": "EUR"}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
	paid := w.get("dana", "/invoices/"+projectiontest.PaidID).must(http.StatusOK).body
	if diff := cmp.Diff(map[string]any{"amount": 2000.0, "currency": "EUR"}, paid["credit"]); diff != "" {
		t.Errorf("credit (-want +got):\n%s", diff)
	}
	if len(paid["lines"].([]any)) != 1 || len(paid["payments"].([]any)) != 1 {
		t.Errorf("the invoice has lines %v and payments %v", paid["lines"], paid["payments"])
	}
	toStaff, toDana = w.get("owner", "/requests/"+projectiontest.RequestID), w.get("dana", "/requests/"+projectiontest.RequestID)
	if toStaff.must(http.StatusOK).body["handler"] != "Sam" || len(toStaff.body["steps"].([]any)) != 1 {
		t.Errorf("staff see %v", toStaff.body)
	}
	if toDana.must(http.StatusOK).body["handler"] != nil || toDana.body["steps"] != nil {
		t.Errorf("the customer sees who is at work: %v", toDana.body)
	}
	reyes := w.get("terry", "/customers/"+projectiontest.ReyesID).must(http.StatusOK).body
	if contacts := reyes["contacts"].([]any); len(contacts) != 1 {
		t.Errorf("a tenant sees the contacts %v", contacts)
	}
	if contacts := w.get("dana", "/customers/"+projectiontest.ReyesID).body["contacts"].([]any); len(contacts) != 3 {
		t.Errorf("Dana sees the contacts %v", contacts)
	}
}

func sentence(s string) string { return "(" + s + ")" }

func (w *world) timelines() {
	t := w.t
	viewed := "/quotes/" + projectiontest.QuoteID + "/timeline?type=QuoteViewed"
	tests := []struct {
		token, path, language, want string
	}{
		{"owner", viewed, "", "(Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 3:42 PM CDT)"},
		{"owner", viewed, "ja-JP,ja;q=0.9,en;q=0.5", "(2026年3月14日15時42分（CDT）、Dana Reyes様がポータルで見積書Q-1042を閲覧しました)"},
		{"owner", viewed, "fr", "(Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 3:42 PM CDT)"},
		{"owner", viewed + "&lang=ja", "en", "(2026年3月14日15時42分（CDT）、Dana Reyes様がポータルで見積書Q-1042を閲覧しました)"},
		{"other", "/timeline?type=CustomerAdded", "", "(2026年3月14日21時00分（JST）、スタッフがSato様を顧客として登録しました)"},
		{
			"owner", "/requests/" + projectiontest.RequestID + "/timeline?type=RequestTriaged", "",
			"(Request R-1: “Call back” by Sam (North) on March 14, 2026 at 7:00 AM CDT)",
		},
		{
			"owner", "/timeline?type=InvoicePaymentReceived&record=" + projectiontest.PaidID, "",
			"(A payment of €120.00 was received for invoice 1, €20.00 of it more than was owed, on March 14, 2026 at 7:00 AM CDT)",
		},
	}
	for _, test := range tests {
		var headers []string
		if test.language != "" {
			headers = []string{"Accept-Language", test.language}
		}
		if got := w.get(test.token, test.path, headers...).each("sentence", sentence); got != test.want {
			t.Errorf("%s in %q\nsays  %s\nwants %s", test.path, test.language, got, test.want)
		}
	}
	types := []struct{ token, path, want string }{
		{"owner", "/quotes/" + projectiontest.QuoteID + "/timeline", "QuoteDrafted QuoteSent QuoteViewed QuoteRevised"},
		{"dana", "/quotes/" + projectiontest.QuoteID + "/timeline", "QuoteSent QuoteViewed"},
		{"owner", "/timeline?actor=" + projectiontest.DanaID, "QuoteViewed RequestTriaged RequestFiled"},
		{"owner", "/timeline?from=2026-03-14T20:42:00Z&to=2026-03-14T20:42:01Z", "QuoteViewed"},
		{"terry", "/timeline", "InvoicePaymentReceived InvoiceIssued"},
		{"nobody", "/timeline", ""},
		{"other", "/timeline", "CustomerAdded BusinessRegistered"},
	}
	for _, test := range types {
		if got := w.get(test.token, test.path).each("type", func(s string) string { return s }); got != test.want {
			t.Errorf("%s at %s reads %q, want %q", test.token, test.path, got, test.want)
		}
	}
	billing := w.get("billie", "/timeline").each("type", func(s string) string { return s })
	if strings.Contains(billing, "Request") || !strings.Contains(billing, "QuoteViewed") || strings.Contains(billing, "Drafted") {
		t.Errorf("a bookkeeper reads %s", billing)
	}
}

func (w *world) dashboards() {
	t := w.t
	money := func(amount float64) map[string]any { return map[string]any{"amount": amount, "currency": "EUR"} }
	age := func(days, invoices, amount float64) any {
		return map[string]any{"overdue_from_days": days, "invoices": invoices, "outstanding": money(amount)}
	}
	tests := map[string]map[string]any{
		"/dashboards/money": {
			"invoices": 3.0, "paid_in_full": 1.0, "part_paid": 1.0,
			"billed": money(15300), "paid": money(13000), "credit": money(2000), "outstanding": money(4300),
			"by_age": []any{age(-1, 1, 300), age(1, 0, 0), age(31, 1, 4000), age(61, 0, 0), age(91, 0, 0)},
		},
		"/dashboards/money?currency=JPY": {"invoices": 0.0, "outstanding": map[string]any{"amount": 0.0, "currency": "JPY"}},
		"/dashboards/quotes": {
			"drafted": 2.0, "sent": 1.0, "viewed": 1.0, "approved": 0.0, "draft": 1.0, "open": 1.0, "expired": 0.0,
			"open_total": money(40000),
		},
		"/dashboards/quotes?from=2026-03-14T12:30:00Z": {"drafted": 1.0, "sent": 0.0},
		"/dashboards/requests": {
			"waiting": 1.0, "oldest_since": "2026-03-14T12:00:00Z", "accepted": 0.0, "overdue": 0.0,
			"by_wait": []any{
				map[string]any{"from_days": 0.0, "requests": 1.0},
				map[string]any{"from_days": 1.0, "requests": 0.0},
				map[string]any{"from_days": 3.0, "requests": 0.0},
				map[string]any{"from_days": 7.0, "requests": 0.0},
				map[string]any{"from_days": 30.0, "requests": 0.0},
			},
		},
	}
	for path, want := range tests {
		body := w.get("auditor", path).must(http.StatusOK).body
		got := make(map[string]any)
		for field := range want {
			got[field] = body[field]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func (w *world) freshness() {
	t := w.t
	fresh := w.get("owner", "/invoices", "Portal-Position", w.last).must(http.StatusOK)
	if _, err := time.Parse(time.RFC3339, fresh.header.Get("Portal-As-Of")); err != nil {
		t.Errorf("Portal-As-Of: %v", err)
	}
	notYet := w.get("owner", "/invoices", "Portal-Position", "zzzzzzzzzz").must(http.StatusServiceUnavailable)
	if notYet.body["code"] != "not_yet" || notYet.header.Get("Retry-After") == "" {
		t.Errorf("not yet: %v, %v", notYet.body, notYet.header)
	}
}

func (w *world) badInput() {
	t := w.t
	cursor := w.get("owner", "/invoices?limit=1").body["next"].(string)
	for _, path := range []string{
		"/invoices?limit=0", "/invoices?limit=201", "/invoices?cursor=nonsense", "/invoices?cursor=e30", "/customers?cursor=" + cursor,
		"/invoices?status=lost", "/invoices/x'y", "/timeline?from=yesterday", "/timeline?lang=tlh", "/dashboards/money?currency=euro",
	} {
		if got := w.get("owner", path); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s answers %d: %v", path, got.status, got.body)
		}
	}
	w.get("owner", "/invoices", "Portal-Position", "a b").must(http.StatusUnprocessableEntity)
}

func (w *world) looking() {
	t := w.t
	w.views.seen, w.views.err = nil, nil
	w.get("dana", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	w.get("dana", "/invoices/"+projectiontest.DueID).must(http.StatusOK)
	w.get("owner", "/invoices/"+projectiontest.DueID).must(http.StatusOK)
	w.get("dana", "/invoices").must(http.StatusOK)
	w.get("dana", "/invoices/"+projectiontest.ParksID).must(http.StatusNotFound)
	want := []string{
		"customer quote " + projectiontest.QuoteID, "customer invoice " + projectiontest.DueID, "staff invoice " + projectiontest.DueID,
	}
	if diff := cmp.Diff(want, w.views.seen); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}

	w.views.err = context.DeadlineExceeded
	refused := w.get("dana", "/invoices/"+projectiontest.DueID).must(http.StatusServiceUnavailable)
	if refused.body["lines"] != nil {
		t.Errorf("shown without a record: %v", refused.body)
	}
	w.views.err = errors.New("whatever else")
	w.get("owner", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	w.get("dana", "/invoices").must(http.StatusOK)
	w.views.err = nil
}
