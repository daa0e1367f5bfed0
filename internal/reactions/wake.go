package reactions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
	"portal.example/internal/database"
)

// How wake-ups are tried: a few times within some five seconds, so that what
// fails holds up its own reaction and that not for long.
const (
	wakeUpsAtOnce = 8 // of a reaction, in an instance
	tries         = 5
	firstPause    = 200 * time.Millisecond
	lastPause     = 3 * time.Second
	tryLimit      = 5 * time.Second
	// As long as all tries may take, twice: an event may have waited for another.
	messageTimeout = 2 * (tries*tryLimit + 10*time.Second)
)

// wake deals with an event: at once, or by leaving a job before the event is
// acknowledged.
func (r *Reactor) wake(reaction Reaction) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		e, origin, err := eventOf(msg)
		if err != nil || origin == eventstore.OriginImport {
			return err
		}
		ctx, cancel := context.WithTimeout(msg.Context(), tryLimit)
		defer cancel()
		if reaction.Due == nil {
			return reaction.Act(ctx, e)
		}
		due, err := reaction.Due(ctx, e)
		if err != nil || due.IsZero() {
			return err
		}
		return r.jobs.leave(ctx, reaction, e, due)
	}
}

func eventOf(msg *message.Message) (Event, eventstore.Origin, error) {
	d, ok := pubsub.Delivered(msg.Context())
	if !ok {
		return Event{}, "", errors.New("a message that is no event")
	}
	var m struct {
		CorrelationID uuid.UUID         `json:"$correlationId"`
		Business      string            `json:"business"`
		Origin        eventstore.Origin `json:"origin"`
	}
	if err := json.Unmarshal(d.Event.Metadata, &m); err != nil {
		return Event{}, "", fmt.Errorf("metadata: %w", err)
	}
	return Event{
		ID: d.Event.ID, Type: d.Event.Type, Stream: d.Event.Stream, Business: m.Business, CorrelationID: m.CorrelationID,
	}, m.Origin, nil
}

// middlewares are what stands between the log and a reaction, the outermost
// first.
func (r *Reactor) middlewares(reaction Reaction, life context.Context) []message.HandlerMiddleware {
	retry := middleware.Retry{
		MaxRetries: tries - 1, InitialInterval: firstPause, MaxInterval: lastPause, Multiplier: 1.5, RandomizationFactor: 0.3,
		ShouldRetry: func(p middleware.RetryParams) bool { return !panicked(p.Err) },
	}
	return []message.HandlerMiddleware{
		middleware.CorrelationID,
		lingering(life),
		pubsub.ParkOnError(func(err error) bool { return r.gaveUp(reaction, err) }),
		retry.Middleware,
		r.measured(reaction),
		middleware.Recoverer,
	}
}

// lingering lets what is under way go on for as long as life, beyond the end of
// the router.
func lingering(life context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			ctx, cancel := context.WithCancel(context.WithoutCancel(msg.Context()))
			defer cancel()
			defer context.AfterFunc(life, cancel)()
			msg.SetContext(ctx)
			return next(msg)
		}
	}
}

// gaveUp tells whether an event is to be parked. Where the portal's own log or
// database is away no event is to blame, and it is delivered again for as long as
// that takes. A service elsewhere that does not answer is no such case: it would
// hold up the reaction for as long as it likes.
func (r *Reactor) gaveUp(reaction Reaction, err error) bool {
	var out outage
	keysAway := errors.Is(err, eventstore.ErrKeyring) && database.Away(err)
	if errors.As(err, &out) || keysAway || errors.Is(err, context.Canceled) ||
		errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrClosed) {
		return false
	}
	r.config.Logger.Error("an event is parked", "reaction", reaction.Name, "error", err)
	r.metrics.parked.WithLabelValues(reaction.Name, wakeUp).Inc()
	return true
}

// outage is an error for which no event is to blame.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// panicked tells a panic, which would come again.
func panicked(err error) bool {
	var p middleware.RecoveredPanicError
	return errors.As(err, &p)
}

// measured counts tries.
func (r *Reactor) measured(reaction Reaction) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			began := time.Now()
			made, err := next(msg)
			r.metrics.tried(reaction.Name, wakeUp, time.Since(began), err)
			return made, err
		}
	}
}
