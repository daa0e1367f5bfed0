// Package api is the HTTP side of the portal that all routes have in common:
// who asks, what a refusal looks like, which headers carry positions, versions
// and keys, and what is limited, logged and measured.
//
// A handler gets its principal from the context and returns plain errors; the
// one translator (Problem) makes problem details of them.
package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// MaxBody is how large the body of a request may be, in bytes. It is less than
// what the log takes at once, so that what is accepted can also be recorded.
const MaxBody = 256 << 10

// Config says what the API stands on.
type Config struct {
	Version string // of the portal, for the document
	Tokens  Authenticator
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	Proxies Proxies // that stand before the portal
	// Timeout bounds the work on one request; 5 s by default.
	Timeout time.Duration
}

// New makes the API without routes and the router it is served by. Register the
// routes on the first under /api/v1; the second serves them, the OpenAPI
// document at /api/openapi.json, and the same for people at /api/docs.
func New(cfg Config) (huma.API, chi.Router) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	router := chi.NewRouter()
	router.Use(observe(cfg), limit(cfg.Timeout))
	router.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, newDetails(http.StatusNotFound, "no_such_path", "there is nothing at this path"))
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, newDetails(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take this method"))
	})

	a := humachi.New(router, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Customer portal",
				Version: cfg.Version,
				Description: "Every change is an immutable event. A command answers with the Portal-Position of what it did; " +
					"a reader who sends that header back waits for it. Amounts are integers of minor units; times are RFC 3339 in UTC.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", nameSchema),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					scheme: {Type: "http", Scheme: "bearer", Description: "A token made by `portal keys create`."},
				},
			},
			Security: []map[string][]string{{scheme: {}}},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{finish},
	})
	a.UseMiddleware(authenticate(a, cfg.Tokens))
	serveDocument(router, a)
	return a, router
}

// finish completes a problem before it is written, in the caller's language, and
// tells the log of its cause.
func finish(ctx huma.Context, _ string, body any) (any, error) {
	if details, ok := body.(*Details); ok {
		note(ctx.Context(), details)
		for name, values := range details.GetHeaders() {
			ctx.SetHeader(name, values[0])
		}
		if prefersJapanese(ctx.Header("Accept-Language")) {
			ctx.SetHeader("Content-Language", "ja")
			return details.inJapanese(), nil
		}
	}
	return body, nil
}

// writeProblem answers where there is no operation.
func writeProblem(w http.ResponseWriter, d *Details) {
	for name, values := range d.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", d.ContentType(""))
	w.WriteHeader(d.Status)
	_ = json.NewEncoder(w).Encode(d) // whoever went away does not read it
}

// serveDocument serves the API's description, made once all routes are there.
func serveDocument(router chi.Router, a huma.API) {
	document := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.OpenAPI()) })
	page := sync.OnceValues(func() ([]byte, error) {
		encoded, err := document()
		if err != nil {
			return nil, err
		}
		return documentPage(encoded)
	})
	serve := func(path, contentType string, content func() ([]byte, error)) {
		router.Get(path, func(w http.ResponseWriter, r *http.Request) {
			body, err := content()
			if err != nil {
				details, _ := errors.AsType[*Details](Problem(err))
				note(r.Context(), details)
				writeProblem(w, details)
				return
			}
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			_, _ = w.Write(body) // whoever went away does not read it
		})
	}
	serve("/api/openapi.json", "application/openapi+json", document)
	serve("/api/docs", "text/html; charset=utf-8", page)
}
