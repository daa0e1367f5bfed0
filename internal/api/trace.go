package api

import (
	"context"
	"net/http"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

var tracer = otel.Tracer("portal.example/internal/api")

// watched are the paths that machines ask every few seconds.
var watched = []string{"/healthz", "/readyz", "/metrics"}

// beginTrace begins the span of a request. It is the root of its trace, also
// where the request names another: whoever asks does not decide what is traced,
// nor under which id.
//
// It is made by hand, because OpenTelemetry's own handler records the address,
// the user agent and the path, which are somebody's.
func beginTrace(r *http.Request) (context.Context, trace.Span) {
	if slices.Contains(watched, r.URL.Path) {
		return r.Context(), trace.SpanFromContext(r.Context())
	}
	return tracer.Start(r.Context(), methodOf(r), trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
}

// endTrace says what became of the request: its route's pattern and never its
// path.
func endTrace(span trace.Span, o *Origin, method, route string, status int) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetName(method + " " + route)
	span.SetAttributes(
		attribute.String("portal.request_id", o.RequestID), semconv.HTTPRequestMethodKey.String(method),
		semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status),
	)
	if o.problem != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String(o.problem.Code))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(otelcodes.Error, "")
	}
}

// methodOf is the request's method, if it is one: what strangers make up becomes
// no name in metrics and traces.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	default:
		return "_OTHER"
	}
}
