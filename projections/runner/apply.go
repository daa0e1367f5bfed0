package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"portal.example/eventstore"
)

var tracer = otel.Tracer("portal.example/projections/runner")

// apply brings rows, quarantine and checkpoint forward in one transaction.
func (l *leader) apply(ctx context.Context, events []eventstore.Decoded, next checkpoint) (err error) {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	events = l.skips.without(events)
	ctx, span := l.trace(ctx, len(events))
	defer func() {
		if err != nil {
			span.SetStatus(codes.Error, "the batch is not applied")
		}
		span.End()
	}()
	began := time.Now()
	found, err := l.applyWhole(ctx, events, next)
	if l.poisonous(ctx, err) {
		l.log.WarnContext(ctx, "batch cannot be applied as a whole; looking for the event at fault",
			"events", len(events), "error", err)
		found, err = l.applyInParts(ctx, events, next)
	}
	if err != nil {
		return err
	}
	l.admit(ctx, found)
	l.runner.metrics.applied(l.build, len(events), time.Since(began))
	return nil
}

// trace begins the span of a batch.
func (l *leader) trace(ctx context.Context, events int) (context.Context, trace.Span) {
	name := l.build.projection.Name()
	return tracer.Start(ctx, "project "+name, trace.WithAttributes(
		attribute.String("portal.projection", name), attribute.Int("portal.projection.version", l.build.projection.Version()),
		attribute.Int64("portal.projection.build", l.build.id), attribute.Int("portal.events", events),
	))
}

func (l *leader) applyWhole(ctx context.Context, events []eventstore.Decoded, next checkpoint) (found *findings, err error) {
	err = pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		found = newFindings(l.held)
		events, err := found.sift(events)
		if err != nil {
			return err
		}
		if err := l.callApply(ctx, tx, events); err != nil {
			return err
		}
		return l.finish(ctx, tx, found, next)
	})
	return found, err
}

// applyInParts finds the events that cannot be applied. What precedes and what
// follows them is applied, in order, except for what follows in their streams.
func (l *leader) applyInParts(ctx context.Context, events []eventstore.Decoded, next checkpoint) (found *findings, err error) {
	err = pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		found = newFindings(l.held)
		if err := l.bisect(ctx, tx, events, found); err != nil {
			return err
		}
		return l.finish(ctx, tx, found, next)
	})
	return found, err
}

func (l *leader) bisect(ctx context.Context, tx pgx.Tx, events []eventstore.Decoded, found *findings) error {
	events, err := found.sift(events)
	if err != nil || len(events) == 0 {
		return err
	}
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
		return l.callApply(ctx, savepoint, events)
	})
	switch {
	case !l.poisonous(ctx, err):
		return err
	case len(events) == 1:
		return found.poison(&events[0], err)
	}
	middle := len(events) / 2
	if err := l.bisect(ctx, tx, events[:middle], found); err != nil {
		return err
	}
	return l.bisect(ctx, tx, events[middle:], found)
}

func (l *leader) callApply(ctx context.Context, tx pgx.Tx, events []eventstore.Decoded) (err error) {
	if len(events) == 0 {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{value: r, stack: string(debug.Stack())}
		}
	}()
	return l.build.projection.Apply(ctx, tx, events)
}

// panicked is a panic of Apply. It keeps apart what a panic says and where it was.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (p *panicked) Stack() string { return p.stack }

// stackOf is where the error came from, if it was a panic.
func stackOf(err error) string {
	var p interface {
		error
		Stack() string
	}
	if errors.As(err, &p) {
		return p.Stack()
	}
	return ""
}

func (l *leader) finish(ctx context.Context, tx pgx.Tx, found *findings, next checkpoint) error {
	if err := found.store(ctx, tx, l.build.id); err != nil {
		return err
	}
	return next.store(ctx, tx, l.build.id, l.stored)
}

// poisonous tells whether an event is to blame for the error: a value that
// Postgres refuses, or an error of the projection's own. That Postgres is away,
// slow or without a table is nobody's event's fault.
func (l *leader) poisonous(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || l.conn.IsClosed() ||
		errors.Is(err, errFenced) || errors.Is(err, errBroken) {
		return false
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return !pgconn.Timeout(err)
	}
	switch refused.Code[:2] {
	case "21", // cardinality: a statement would change a row twice
		"22", // a value out of range, not of its type
		"23", // a constraint
		"54", // too long for an index, too many columns
		"P0": // raised by the projection's own SQL
		return true
	default:
		return false
	}
}
