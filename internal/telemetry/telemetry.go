// Package telemetry sends traces to a collector, where the operator names one.
//
// The spans are made where the work is, by OpenTelemetry's own API: requests in
// internal/api, commands and the log in eventstore, batches in projections.
// Until Start has been called they cost next to nothing and lead nowhere.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
)

// Config says where traces go.
type Config struct {
	// Endpoint is a collector's address for OTLP over HTTP, to which /v1/traces
	// is added; empty for no traces. How it is spoken to (headers, certificates,
	// sampling) is for OpenTelemetry's own variables.
	Endpoint string
	Version  string // of the portal
	Logger   *slog.Logger
	// StopLimit bounds how long a stop waits for the collector; 5 s by default.
	StopLimit time.Duration
}

// Start begins to send traces. stop sends what is left, as far as its limit
// allows; that a collector is away is told and is no reason to fail.
func Start(ctx context.Context, cfg Config) (stop func(), err error) {
	if cfg.Endpoint == "" {
		return func() {}, nil
	}
	if cfg.StopLimit <= 0 {
		cfg.StopLimit = 5 * time.Second
	}
	provider, err := newProvider(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		cfg.Logger.Warn("traces are not delivered", "error", err)
	}))
	otel.SetTracerProvider(provider)
	return func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopLimit)
		defer cancel()
		if err := provider.Shutdown(grace); err != nil {
			cfg.Logger.Warn("the last traces are lost", "error", err)
		}
	}, nil
}

func newProvider(ctx context.Context, cfg Config) (*trace.TracerProvider, error) {
	to, err := url.JoinPath(cfg.Endpoint, "v1/traces")
	if err != nil {
		return nil, errors.New("the endpoint is no URL")
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to))
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(
			semconv.ServiceName("portal"), semconv.ServiceVersion(cfg.Version), semconv.ServiceInstanceID(uuid.NewString())),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // last, so that the operator has the last word
	)
	if err != nil {
		return nil, err
	}
	return trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about)), nil
}
