package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"

	"portal.example/internal/telemetry"
)

// One test, since the program has one tracer provider. Spans made before Start
// go nowhere; a stop sends those made after it, and does not wait for ever.
func TestTracesReachTheCollectorAndAStopIsBounded(t *testing.T) {
	tracer := otel.Tracer("test")
	stop, err := telemetry.Start(t.Context(), telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, span := tracer.Start(t.Context(), "nowhere"); span.IsRecording() {
		t.Error("traced although no collector is named")
	}
	stop()

	received := make(chan []byte, 1)
	asleep := make(chan struct{})
	first := true
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/base/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		if !first {
			<-asleep
			return
		}
		first = false
		received <- body
	}))
	defer collector.Close()
	defer close(asleep)

	var lines bytes.Buffer
	start := func() func() {
		stop, err := telemetry.Start(t.Context(), telemetry.Config{
			Endpoint: collector.URL + "/base", Version: "v1", Logger: slog.New(slog.NewTextHandler(&lines, nil)),
			StopLimit: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		return stop
	}
	end := func(name string) {
		_, span := otel.Tracer("test").Start(context.Background(), name)
		span.End()
	}

	stop = start()
	end("the last thing")
	stop()
	select {
	case body := <-received:
		if !bytes.Contains(body, []byte("the last thing")) || !bytes.Contains(body, []byte("service.version")) {
			t.Errorf("received %q", body)
		}
	default:
		t.Errorf("the stop sent nothing: %s", lines.String())
	}

	stop = start()
	end("never read")
	stop() // hangs if it has no limit
	if !bytes.Contains(lines.Bytes(), []byte("the last traces are lost")) {
		t.Errorf("the loss was not told: %s", lines.String())
	}
}
