package eventstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Spans say which use case, which category of streams, how many events and how
// it went. They name no stream and show no event and no error's text, which may
// be about a person; the correlation id leads from a span to the events.
var tracer = otel.Tracer("portal.example/eventstore")

// traceCommand begins the span of a command. What is in it beside the reading
// and the appending is the deciding.
func traceCommand(ctx context.Context, category string, m Metadata) (context.Context, trace.Span) {
	ctx, span := tracer.Start(ctx, cmp.Or(m.Operation, "command"))
	if span.IsRecording() {
		correlation := m.CorrelationID
		if correlation == uuid.Nil {
			correlation = m.CommandID
		}
		span.SetAttributes(
			attribute.String("portal.category", category),
			attribute.String("portal.command_id", m.CommandID.String()),
			attribute.String("portal.correlation_id", correlation.String()),
		)
	}
	return ctx, span
}

// traceCall begins the span of a call of the log.
func traceCall(ctx context.Context, call, stream string) (context.Context, trace.Span) {
	ctx, span := tracer.Start(ctx, call, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		category, _, _ := strings.Cut(stream, "-")
		span.SetName(call + " " + category)
		span.SetAttributes(
			attribute.String("db.system.name", "eventstoredb"),
			attribute.String("db.operation.name", call),
			attribute.String("portal.category", category),
		)
	}
	return ctx, span
}

// traced tells whether the context belongs to a trace. What followers of the log
// look up by themselves, again and again, is no trace of its own.
func traced(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// traceRead begins the span of a read, which end ends with how many events it
// came to.
func traceRead(ctx context.Context, stream string, yield func(Recorded, error) bool) (
	_ context.Context, counting func(Recorded, error) bool, end func(),
) {
	ctx, span := traceCall(ctx, "read", stream)
	events, failure := 0, error(nil)
	counting = func(e Recorded, err error) bool {
		if failure = err; err == nil {
			events++
		}
		return yield(e, err)
	}
	return ctx, counting, func() {
		span.SetAttributes(attribute.Int("portal.events", events))
		endSpan(span, failure)
	}
}

// endSpan ends a span with what became of its work. That a stream is not there,
// or elsewhere than expected, and that a command is refused, are answers.
func endSpan(span trace.Span, err error) {
	defer span.End()
	if err == nil || !span.IsRecording() {
		return
	}
	var failure *Error
	switch {
	case !errors.As(err, &failure):
		span.SetAttributes(attribute.String("error.type", fmt.Sprintf("%T", err)))
	case errors.Is(failure.Kind, ErrStreamNotFound), errors.Is(failure.Kind, ErrWrongExpected):
		span.SetAttributes(attribute.String("error.type", failure.Kind.Error()))
	default:
		span.SetAttributes(attribute.String("error.type", failure.Kind.Error()))
		span.SetStatus(codes.Error, failure.Kind.Error())
	}
}
