package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"portal.example/eventstore"
	"portal.example/internal/wait"
)

// wants tells whether an event is to be delivered. Where its origin cannot be
// read, it is.
func (o *Outbox) wants(e *eventstore.Recorded) (bool, error) {
	if !o.SkipImported {
		return true, nil
	}
	var m struct {
		Origin eventstore.Origin `json:"origin"`
	}
	if err := json.Unmarshal(e.Metadata, &m); err != nil {
		return true, fmt.Errorf("metadata: %w", err)
	}
	return m.Origin != eventstore.OriginImport, nil
}

// deliver returns nil when the event has been delivered. It fails when the outbox
// is stopped before that, and when this instance leads no more.
func (l *leader) deliver(ctx context.Context, e eventstore.Recorded) error {
	l.metrics.waitsFor(e.Created)
	defer l.metrics.waitsFor(time.Time{})
	pause := l.FirstPause
	for try := 1; ; try++ {
		// A process that was stopped and goes on must not deliver before it knows
		// what has become of it.
		if err := l.prove(ctx); err != nil {
			return err
		}
		var failure error
		if err := l.guarded(l.life, func(ctx context.Context) { failure = l.try(ctx, e) }); err != nil {
			return err
		}
		log := l.Logger.With("stream", e.Stream, "revision", e.Revision, "type", e.Type,
			"tries", try, "waiting", time.Since(e.Created).Round(time.Millisecond))
		if failure == nil {
			l.metrics.delivered.Inc()
			if try > 1 {
				log.InfoContext(ctx, "the outbox goes on: the event at its head has been delivered")
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.metrics.failed.Inc()
		log.WarnContext(ctx, "the event at the head of the outbox cannot be delivered, and holds up what follows",
			"error", failure, "pause", pause)
		if err := l.guarded(ctx, func(ctx context.Context) { wait.For(ctx, pause) }); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause = min(2*pause, l.LongestPause)
	}
}

// try tries once.
func (o *Outbox) try(ctx context.Context, e eventstore.Recorded) (err error) {
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return o.Deliver(ctx, e)
}
