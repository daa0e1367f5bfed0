package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Origin is where a request comes from and what exactly it asks.
type Origin struct {
	RequestID string
	Method    string
	Path      string
	IP        string // of the client, as far as trusted proxies tell, else of the peer
	UserAgent string

	body    hash.Hash
	problem *Details
}

// OriginOf is the origin of the request of this context.
func OriginOf(ctx context.Context) *Origin {
	origin, ok := ctx.Value(originKey).(*Origin)
	if !ok {
		return &Origin{}
	}
	return origin
}

// BodySum is the SHA-256 of as much of the body as has been read, which is all
// of it once a handler runs.
func (o *Origin) BodySum() []byte {
	if o.body == nil {
		return nil
	}
	return o.body.Sum(nil)
}

// note keeps a problem for the line that the log gets of the request.
func note(ctx context.Context, d *Details) { OriginOf(ctx).problem = d }

const maxUserAgent = 300 // bytes; the rest says nothing

// observe is the outermost layer: it names the request, outlives a panic, and
// logs and measures what became of it.
func observe(cfg Config) func(http.Handler) http.Handler {
	seconds := requestSeconds(cfg.Metrics)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			origin := newOrigin(r, cfg.Proxies)
			r.Body = hashing{r.Body, origin.body}
			ctx, span := beginTrace(r)
			r = r.WithContext(context.WithValue(ctx, originKey, origin))
			w.Header().Set("Portal-Request-Id", origin.RequestID)
			w.Header().Set("Cache-Control", "no-store") // what is answered is somebody's
			w.Header().Set("X-Content-Type-Options", "nosniff")
			wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)

			defer func() {
				if p := recover(); p != nil {
					outlive(wrapped, origin, p)
				}
				took := time.Since(start)
				route := cmp.Or(chi.RouteContext(r.Context()).RoutePattern(), "none")
				seconds.WithLabelValues(methodOf(r), route, strconv.Itoa(wrapped.Status())).Observe(took.Seconds())
				endTrace(span, origin, methodOf(r), route, wrapped.Status())
				report(r.Context(), cfg.Logger, origin, route, wrapped.Status(), took)
			}()
			next.ServeHTTP(wrapped, r)
		})
	}
}

func newOrigin(r *http.Request, proxies Proxies) *Origin {
	agent := r.UserAgent()
	return &Origin{
		RequestID: uuid.NewString(), Method: r.Method, Path: r.URL.Path,
		IP: proxies.client(r), UserAgent: agent[:min(len(agent), maxUserAgent)],
		body: sha256.New(),
	}
}

// hashing is a body that is summed up while it is read.
type hashing struct {
	io.ReadCloser
	sum hash.Hash
}

func (b hashing) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	return n, err
}

// outlive answers for a handler that panicked.
func outlive(w middleware.WrapResponseWriter, origin *Origin, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // net/http's own way to cut a connection
	}
	details := unexpected(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	origin.problem = details
	if w.Status() == 0 {
		writeProblem(w, details)
	}
}

func requestSeconds(metrics prometheus.Registerer) *prometheus.HistogramVec {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "portal_http_request_seconds",
		Help:    "Time to answer a request, by route and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"method", "route", "status"})
	if metrics != nil {
		metrics.MustRegister(seconds)
	}
	return seconds
}

// report writes one line for each request. It never has a token, a body or a
// query, which can be personal.
func report(ctx context.Context, logger *slog.Logger, o *Origin, route string, status int, took time.Duration) {
	level := slog.LevelDebug
	attributes := []slog.Attr{
		slog.String("request", o.RequestID), slog.String("method", o.Method), slog.String("route", route),
		slog.Int("status", status), slog.Duration("took", took),
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		attributes = append(attributes, slog.String("trace", span.TraceID().String()))
	}
	if o.problem != nil {
		attributes = append(attributes, slog.String("code", o.problem.Code))
		if o.problem.cause != nil {
			level = slog.LevelWarn
			attributes = append(attributes, slog.String("cause", o.problem.cause.Error()))
		}
		if o.problem.ID != "" {
			level = slog.LevelError
			attributes = append(attributes, slog.String("id", o.problem.ID))
		}
	}
	logger.LogAttrs(ctx, level, "request", attributes...)
}

// limit bounds how much a request can send and how long it is worked on.
func limit(timeout time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			defer cancel()
			r = r.WithContext(ctx)
			r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
			next.ServeHTTP(w, r)
		})
	}
}
