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

// How wake-ups are tried: three times within a moment, since what fails holds one
// of its reaction's places meanwhile. Then a job goes on with it.
const (
	wakeUpsAtOnce = 8 // of a reaction, in an instance
	tries         = 3
	firstPause    = 100 * time.Millisecond // and twice that before the last one
	wakeUpLimit   = 2 * time.Second        // for all of them
)

// How a log or a database is waited for that is away, in which case there is no
// hurry: nobody could make use of the place.
const (
	outageTries      = 5
	firstOutagePause = 200 * time.Millisecond
	lastOutagePause  = 3 * time.Second
	// As long as all that may take, twice: an event may have waited for another.
	messageTimeout = 2 * (outageTries*(wakeUpLimit+leaveLimit) + 10*time.Second)
)

// wake deals with an event: at once, or by leaving a job before the event is
// acknowledged.
func (r *Reactor) wake(reaction Reaction) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		e, origin, err := eventIn(msg)
		if err != nil || origin == eventstore.OriginImport {
			return err
		}
		if reaction.Due == nil {
			return reaction.Act(msg.Context(), e)
		}
		due, err := reaction.Due(msg.Context(), e)
		if err != nil || due.IsZero() {
			return err
		}
		return r.jobs.leave(msg.Context(), reaction, e, due)
	}
}

func eventIn(msg *message.Message) (Event, eventstore.Origin, error) {
	d, ok := pubsub.Delivered(msg.Context())
	if !ok {
		return Event{}, "", unreadable{errors.New("a message that is no event")}
	}
	return eventOf(&d.Event)
}

func eventOf(e *eventstore.Recorded) (Event, eventstore.Origin, error) {
	var m struct {
		CorrelationID uuid.UUID         `json:"$correlationId"`
		Business      string            `json:"business"`
		Origin        eventstore.Origin `json:"origin"`
	}
	if err := json.Unmarshal(e.Metadata, &m); err != nil {
		return Event{}, "", unreadable{fmt.Errorf("metadata: %w", err)}
	}
	return Event{
		ID: e.ID, Type: e.Type, Stream: e.Stream, Revision: e.Revision, Business: m.Business, CorrelationID: m.CorrelationID,
	}, m.Origin, nil
}

// middlewares are what stands between the log and a reaction, the outermost
// first.
func (r *Reactor) middlewares(reaction Reaction, life context.Context) []message.HandlerMiddleware {
	outage := middleware.Retry{
		MaxRetries: outageTries - 1, InitialInterval: firstOutagePause, MaxInterval: lastOutagePause,
		Multiplier: 1.5, RandomizationFactor: 0.3,
		ShouldRetry: func(p middleware.RetryParams) bool { return fateOf(p.Err) == deliverAgain },
	}
	moment := middleware.Retry{
		MaxRetries: tries - 1, InitialInterval: firstPause, MaxInterval: time.Second, Multiplier: 2,
		ShouldRetry: func(p middleware.RetryParams) bool { return fateOf(p.Err) == leaveAJob },
	}
	return []message.HandlerMiddleware{
		middleware.CorrelationID,
		lingering(life),
		pubsub.ParkOnError(func(err error) bool { return r.gaveUp(reaction, err) }),
		outage.Middleware,
		r.handOver(reaction),
		bounded,
		moment.Middleware,
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

// bounded ends the tries of a wake-up when they have had their time.
func bounded(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		outer := msg.Context()
		ctx, cancel := context.WithTimeout(outer, wakeUpLimit)
		defer cancel()
		defer msg.SetContext(outer)
		msg.SetContext(ctx)
		return next(msg)
	}
}

// handOver leaves a job for what failed, so that others can be woken meanwhile.
func (r *Reactor) handOver(reaction Reaction) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			made, err := next(msg)
			if err == nil || fateOf(err) != leaveAJob || msg.Context().Err() != nil {
				return made, err
			}
			e, _, illegible := eventIn(msg)
			if illegible != nil {
				return nil, illegible
			}
			r.config.Logger.Warn("a reaction failed; a job will try again", "reaction", reaction.Name, "event", e.ID, "error", err)
			return nil, r.jobs.leave(msg.Context(), reaction, e, time.Time{})
		}
	}
}

// fate is what becomes of an event whose reaction failed.
type fate int

const (
	leaveAJob    fate = iota
	deliverAgain      // the portal's own log or database is away, and no event is to blame
	park              // it would go wrong again
)

// fateOf tells it by the error. A service elsewhere that does not answer is no
// outage of ours: it would hold up the reaction for as long as it likes.
func fateOf(err error) fate {
	var panicked middleware.RecoveredPanicError
	var illegible unreadable
	var out outage
	switch {
	case errors.As(err, &panicked), errors.As(err, &illegible):
		return park
	case errors.As(err, &out), errors.Is(err, context.Canceled),
		errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClosed),
		errors.Is(err, eventstore.ErrKeyring) && database.Away(err):
		return deliverAgain
	default:
		return leaveAJob
	}
}

// outage is an error for which no event is to blame.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// unreadable is an error about an event that cannot even be read.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// gaveUp tells whether an event is to be parked.
func (r *Reactor) gaveUp(reaction Reaction, err error) bool {
	if fateOf(err) != park {
		return false
	}
	r.config.Logger.Error("an event is parked", "reaction", reaction.Name, "error", err)
	r.metrics.parked.WithLabelValues(reaction.Name, wakeUp).Inc()
	return true
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
