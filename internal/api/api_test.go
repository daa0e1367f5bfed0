package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portal.example/domain"
	"portal.example/eventstore"
	"portal.example/internal/api"
)

// tokens knows one token for each role, named like the role.
type tokens struct{}

func (tokens) Authenticate(_ context.Context, token string) (api.Principal, error) {
	for _, role := range api.Roles {
		if token == string(role) {
			return api.Principal{Business: "b", Kind: role.Kind(), Role: role, ActorID: "a"}, nil
		}
	}
	if token == "away" {
		return api.Principal{}, context.DeadlineExceeded
	}
	return api.Principal{}, api.ErrUnknownToken
}

type greeting struct {
	api.Conditional
	Body struct {
		Name string `json:"name" minLength:"1"`
	}
}

type greeted struct {
	Body struct {
		Text string `json:"text"`
	}
}

// server answers POST /api/v1/greet with what handle returns.
func server(t *testing.T, handle func(context.Context, *greeting) (*greeted, error)) (http.Handler, *bytes.Buffer) {
	t.Helper()
	var lines bytes.Buffer
	a, router := api.New(api.Config{Tokens: tokens{}, Logger: slog.New(slog.NewJSONHandler(&lines, nil))})
	huma.Register(a, huma.Operation{
		OperationID: "greet", Method: http.MethodPost, Path: "/api/v1/greet",
		Middlewares: api.Allow(a, api.Owner, api.Customer),
	}, handle)
	huma.Register(a, huma.Operation{
		OperationID: "open", Method: http.MethodGet, Path: "/api/v1/open", Security: api.Public,
	}, func(context.Context, *struct{}) (*greeted, error) { return &greeted{}, nil })
	return router, &lines
}

func post(h http.Handler, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/v1/greet", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func details(t *testing.T, w *httptest.ResponseRecorder) api.Details {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	var d api.Details
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if d.Status != w.Code {
		t.Errorf("says %d with status %d", d.Status, w.Code)
	}
	return d
}

func TestWhoeverIsNotKnownLearnsNothing(t *testing.T) {
	t.Parallel()
	h, _ := server(t, func(context.Context, *greeting) (*greeted, error) { return &greeted{}, nil })
	for _, c := range []struct {
		name, token, body string
		status            int
		code              string
	}{
		{"no token, bad body", "", `{`, 401, "token_missing"},
		{"unknown token, bad body", "nobody", `{`, 401, "token_unknown"},
		{"known, wrong role, bad body", "auditor", `{`, 403, "role_forbidden"},
		{"known, bad body", "owner", `{`, 400, "malformed"},
		{"known, faulty body", "owner", `{"name":""}`, 422, "invalid"},
		{"known, field too many", "owner", `{"name":"x","more":1}`, 422, "invalid"},
		{"nobody can say whose it is", "away", `{"name":"x"}`, 503, "timeout"},
	} {
		w := post(h, c.token, c.body)
		if d := details(t, w); w.Code != c.status || d.Code != c.code {
			t.Errorf("%s: %d %s", c.name, w.Code, d.Code)
		}
		if needs := w.Code == http.StatusUnauthorized; needs != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate %q", c.name, w.Header().Get("WWW-Authenticate"))
		}
	}
}

func TestProblemsOfEachKind(t *testing.T) {
	t.Parallel()
	var check domain.Check
	check.Fail("lines[2].quantity", "count", "must be less")
	check.Fail("note", "too_long", "must be shorter")
	for _, c := range []struct {
		err    error
		status int
		code   string
		retry  bool
	}{
		{check.Err(), 422, "invalid", false},
		{&domain.Error{Kind: domain.NotFound, Code: "x_not_found"}, 404, "x_not_found", false},
		{&domain.Error{Kind: domain.Conflict, Code: "taken"}, 409, "taken", false},
		{domain.ErrVersion, 412, "version_mismatch", false},
		{domain.ErrOnlyContact, 403, "only_contact", false},
		{eventstore.ErrKeyReused, 422, "idempotency_key_reused", false},
		{&eventstore.Error{Op: "append", Kind: eventstore.ErrUnavailable}, 503, "log_unavailable", true},
		{&eventstore.Error{Op: "append", Kind: eventstore.ErrFull}, 503, "log_full", true},
		{errors.New("the disk hums in B flat"), 500, "internal", false},
	} {
		h, lines := server(t, func(context.Context, *greeting) (*greeted, error) { return nil, c.err })
		w := post(h, "owner", `{"name":"x"}`)
		d := details(t, w)
		if w.Code != c.status || d.Code != c.code || c.retry != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: %d %s, retry after %q", c.err, w.Code, d.Code, w.Header().Get("Retry-After"))
		}
		if c.status == http.StatusInternalServerError {
			if strings.Contains(w.Body.String(), "hums") || !strings.Contains(lines.String(), "hums") ||
				d.ID == "" || !strings.Contains(lines.String(), d.ID) {
				t.Errorf("the cause belongs in the log under the id, and only there:\n%s\n%s", w.Body, lines)
			}
		}
	}
	h, _ := server(t, func(context.Context, *greeting) (*greeted, error) { return nil, check.Err() })
	want := []api.FieldFault{
		{Field: "lines[2].quantity", Code: "count", Message: "must be less"},
		{Field: "note", Code: "too_long", Message: "must be shorter"},
	}
	if diff := cmp.Diff(want, details(t, post(h, "owner", `{"name":"x"}`)).Errors, cmpopts.IgnoreUnexported(api.FieldFault{})); diff != "" {
		t.Errorf("fields at fault (-want +got):\n%s", diff)
	}
}

func TestAPanicIsAnOpaqueAnswer(t *testing.T) {
	t.Parallel()
	h, lines := server(t, func(context.Context, *greeting) (*greeted, error) { panic("the secret of the panic") })
	w := post(h, "owner", `{"name":"x"}`)
	if d := details(t, w); w.Code != 500 || d.ID == "" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(lines.String(), "the secret of the panic") {
		t.Errorf("the log has only %s", lines)
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	t.Parallel()
	h, _ := server(t, func(context.Context, *greeting) (*greeted, error) { return &greeted{}, nil })
	w := post(h, "owner", `{"name":"`+strings.Repeat("x", api.MaxBody)+`"}`)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header string
		want   int // 0: refused
		status int
	}{
		{`"3"`, 3, 0},
		{``, 0, http.StatusPreconditionRequired},
		{`*`, 0, http.StatusPreconditionRequired},
		{`3`, 0, http.StatusUnprocessableEntity},
		{`W/"3"`, 0, http.StatusUnprocessableEntity},
		{`"-1"`, 0, http.StatusUnprocessableEntity},
	} {
		version, err := api.Conditional{IfMatch: c.header}.RequiredVersion()
		status := 0
		if d, ok := errors.AsType[*api.Details](api.Problem(err)); ok {
			status = d.Status
		}
		if version != c.want || status != c.status {
			t.Errorf("%s: version %d, status %d", c.header, version, status)
		}
	}
	if version, ok, err := (api.Conditional{IfMatch: api.ETag(12)}).Version(); version != 12 || !ok || err != nil {
		t.Errorf("our own ETag: %d %t %v", version, ok, err)
	}
}

func TestTheDocumentSaysWhatNeedsNoToken(t *testing.T) {
	t.Parallel()
	h, _ := server(t, func(context.Context, *greeting) (*greeted, error) { return &greeted{}, nil })
	var document struct {
		OpenAPI  string
		Security []map[string][]string
		Paths    map[string]map[string]struct {
			Security *[]map[string][]string
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/openapi.json", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	open, closed := document.Paths["/api/v1/open"]["get"].Security, document.Paths["/api/v1/greet"]["post"].Security
	if document.OpenAPI != "3.1.0" || len(document.Security) != 1 || open == nil || len(*open) != 0 || closed != nil {
		t.Errorf("version %s, security %v, open %v, closed %v", document.OpenAPI, document.Security, open, closed)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/docs", nil))
	if page := w.Body.String(); !strings.Contains(page, "/api/v1/greet") || strings.Contains(page, "<script") {
		t.Errorf("page %s", page)
	}
}
