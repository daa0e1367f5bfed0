package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"portal.example/eventstore"
)

// recordSpans gathers the spans of the whole program. One test can have them: the
// first tracer provider of a program is its last.
func recordSpans(t *testing.T) *tracetest.SpanRecorder {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	otel.SetTracerProvider(provider)
	t.Cleanup(func() {
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return spans
}

// waitFor is the first span that has ended and is the one.
func waitFor(t *testing.T, spans *tracetest.SpanRecorder, what string, is func(sdktrace.ReadOnlySpan) bool) sdktrace.ReadOnlySpan {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		ended := spans.Ended()
		if i := slices.IndexFunc(ended, is); i >= 0 {
			return ended[i]
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("no span of %s", what)
		}
	}
}

func valueOf(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

func TestTraces(t *testing.T) {
	spans := recordSpans(t)
	p := serveTest(t)
	commandIsTraced(t, p, spans)
	refusalIsTraced(t, p, spans)
}

// commandIsTraced: a command over HTTP is one tree: the request, the commands it
// led to, and what each of them read and appended. Nothing in it is about a
// person.
func commandIsTraced(t *testing.T, p *running, spans *tracetest.SpanRecorder) {
	a := p.post("/customers?note=hush", p.office, `{"name":"Dana Reyes"}`,
		"User-Agent", "NosyBrowser/1.0", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").must(201)

	request := waitFor(t, spans, "the request", func(s sdktrace.ReadOnlySpan) bool {
		return valueOf(s, "portal.request_id") == a.header.Get("Portal-Request-Id")
	})
	if request.Name() != "POST /api/v1/customers" || request.Parent().IsValid() ||
		request.SpanKind() != trace.SpanKindServer || valueOf(request, "http.response.status_code") != "201" {
		t.Errorf("the request is %s of %s with %v", request.Name(), request.Parent().TraceID(), request.Attributes())
	}
	below := func(parent sdktrace.ReadOnlySpan, name string) func(sdktrace.ReadOnlySpan) bool {
		return func(s sdktrace.ReadOnlySpan) bool {
			return s.Name() == name && s.Parent().SpanID() == parent.SpanContext().SpanID() &&
				s.SpanContext().TraceID() == request.SpanContext().TraceID()
		}
	}
	command := waitFor(t, spans, "the command", below(request, "customers.add"))
	appended := waitFor(t, spans, "the append", below(command, "append customer"))
	waitFor(t, spans, "the read before it", below(command, "read customer"))
	if valueOf(appended, "portal.events") != "1" {
		t.Errorf("the append has %v", appended.Attributes())
	}
	stream := "customer-" + a.id()
	added := p.then(stream, "CustomerAdded")[0]
	if got := valueOf(command, "portal.correlation_id"); got != added.Metadata.CorrelationID.String() {
		t.Errorf("the span's correlation id is %s, the event's %s", got, added.Metadata.CorrelationID)
	}
	batch := waitFor(t, spans, "the projection", func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "project customers" })
	if valueOf(batch, "portal.events") == "" {
		t.Errorf("the batch has %v", batch.Attributes())
	}

	for _, s := range spans.Ended() {
		text := s.Name() + s.Status().Description
		for _, a := range s.Attributes() {
			text += " " + a.Value.String()
		}
		for _, secret := range []string{"Dana", "hush", "NosyBrowser", "127.0.0.1", a.id()} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in span %s", secret, text)
			}
		}
	}
}

// refusalIsTraced: a refusal is an answer, and no fault.
func refusalIsTraced(t *testing.T, p *running, spans *tracetest.SpanRecorder) {
	a := p.post("/invoices/"+eventstore.NewID([16]byte{1}, "x").String()+"/issue", p.office, `{}`).must(404)
	request := waitFor(t, spans, "the request", func(s sdktrace.ReadOnlySpan) bool {
		return valueOf(s, "portal.request_id") == a.header.Get("Portal-Request-Id")
	})
	if request.Name() != "POST /api/v1/invoices/{id}/issue" || valueOf(request, "error.type") != "invoice_not_found" {
		t.Errorf("%s with %v", request.Name(), request.Attributes())
	}
	for _, s := range spans.Ended() {
		if s.SpanContext().TraceID() == request.SpanContext().TraceID() && s.Status().Code != 0 {
			t.Errorf("%s has status %v", s.Name(), s.Status())
		}
	}
}

// The program sends what it has traced to the collector that its environment
// names, at the latest when it stops.
func TestServeSendsItsTraces(t *testing.T) {
	t.Parallel()
	received := make(chan []byte, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- body
	}))
	defer collector.Close()
	served, address := watched().startUntil(t, "portal at ", []string{
		"PORTAL_LISTEN=127.0.0.1:0", "PORTAL_DATA=" + t.TempDir(), "DATABASE_URL=" + migratedDatabase(t),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL,
	}, "serve")
	p := &running{t: t, url: address}
	p.send(http.MethodGet, "/api/v1/invoices", "", "").must(401)
	served.signal(syscall.SIGTERM)
	limit := time.After(time.Minute)
	for {
		select {
		case body := <-received:
			if bytes.Contains(body, []byte("GET /api/v1/invoices")) {
				return
			}
		case <-limit:
			t.Fatal("the collector did not hear of the request")
		}
	}
}
