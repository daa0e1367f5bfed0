package readapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"portal.example/internal/api"
	"portal.example/projections/businesses"
	"portal.example/projections/compare"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/quotes"
	"portal.example/projections/requests"
	"portal.example/projections/runner"
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
	"analyst": member(projectiontest.BusinessID, api.Analyst),
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
	tracer := compare.NewTracer(compare.TracerConfig{
		Pool: w.live.Pool, Log: w.live.Log(), Codec: w.live.Codec(),
		Code: runner.New(runner.Config{
			Projections: []runner.Projection{invoices.Projection{}, customers.Projection{}, timeline.Projection{}},
		}).Code,
	})
	a, router := api.New(api.Config{Tokens: everyone})
	readapi.Register(a, readapi.Deps{
		Readers: w.live.Readers, Runner: w.live.Runner, Builds: w.live.Runner, Views: w.views,
		Now: func() time.Time { return projectiontest.Noon }, Provenance: tracer,
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
