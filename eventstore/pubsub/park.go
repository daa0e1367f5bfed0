package pubsub

import (
	"context"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"portal.example/eventstore"
)

// Delivery is where a message comes from.
type Delivery struct {
	Event   eventstore.Recorded
	Retries int // how often it was delivered to the group before
	Group   eventstore.Group
}

// Delivered is the delivery of the message that has this context, or one made
// from it. It is false for messages that come from elsewhere.
func Delivered(ctx context.Context) (Delivery, bool) {
	t, ok := ctx.Value(ticketKey{}).(*ticket)
	if !ok {
		return Delivery{}, false
	}
	return Delivery{Event: t.delivery.Event, Retries: t.delivery.Retries, Group: t.group}, true
}

// ticket goes along with a message, in its context.
type ticket struct {
	delivery eventstore.Delivery
	group    eventstore.Group
	park     atomic.Pointer[string] // the reason
}

type ticketKey struct{}

// Park sets a message aside, in the group's ParkedStream, for a reason of which
// eventstore.MaxReason bytes are kept; it nacks the message, so that nothing more is
// to be said about it. It is false where the message comes from elsewhere, or was
// acknowledged.
func Park(msg *message.Message, reason string) bool {
	t, ok := msg.Context().Value(ticketKey{}).(*ticket)
	if !ok {
		return false
	}
	t.park.CompareAndSwap(nil, &reason)
	return msg.Nack()
}

// ParkOnError is a middleware that parks messages whose handler fails, instead of
// having them delivered again at once. The error is the reason, and is passed on.
// It parks only for errors of which when is true; nil means all. A message whose
// context is over is not parked: it was given up, and is delivered again.
//
// It belongs outside of what tries again, such as middleware.Retry, and outside of
// middleware.Recoverer: with AddMiddleware, before them.
func ParkOnError(when func(error) bool) message.HandlerMiddleware {
	return func(handle message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			produced, err := handle(msg)
			if err != nil && msg.Context().Err() == nil && (when == nil || when(err)) {
				Park(msg, err.Error())
			}
			return produced, err
		}
	}
}

// CausationID is a middleware that names the message handled as the cause of those
// that the handler produces, unless it has named another. It is to $causationId
// what Watermill's middleware.CorrelationID is to $correlationId.
func CausationID(handle message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		produced, err := handle(msg)
		for _, p := range produced {
			if p.Metadata.Get(CausationKey) != "" {
				continue
			}
			cause := msg.UUID
			if delivered, ok := Delivered(msg.Context()); ok {
				cause = delivered.Event.ID.String()
			}
			p.Metadata.Set(CausationKey, cause)
		}
		return produced, err
	}
}
