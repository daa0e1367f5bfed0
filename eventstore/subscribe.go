package eventstore

import (
	"context"
	"fmt"
)

// SubscribeOptions says what a subscription delivers.
type SubscribeOptions struct {
	// From is the position after which it begins: that of the last notice dealt
	// with, or Start for everything.
	From Position
	// Filter chooses the events; the zero value, all of them.
	Filter Filter
	// CheckpointEvery is how many events the log looks at, whether or not they
	// pass the filter, between two CheckpointReached notices, in steps of 32;
	// 1024 by default. Without a filter there are none.
	CheckpointEvery int
	// Buffer is how many notices may wait to be fetched before the log is made
	// to wait; 4096 by default.
	Buffer int
}

// NoticeKind tells what a Notice is about.
type NoticeKind uint8

// The kinds of notices.
const (
	// EventAppeared brings the next event.
	EventAppeared NoticeKind = iota
	// CheckpointReached tells that everything up to Position has been looked
	// at: a place to resume from although no event passed the filter there.
	CheckpointReached
	// CaughtUp tells that history is over and what follows is live.
	CaughtUp
	// FellBehind takes CaughtUp back: the connection was lost, or the log is
	// faster than its reader.
	FellBehind
)

// Notice is one thing that a subscription has to say.
type Notice struct {
	Kind  NoticeKind
	Event Recorded // of EventAppeared
	// Position is how far the subscription has come with this notice; resuming
	// from it misses nothing and repeats nothing.
	Position Position
}

// size is what a notice holds in memory, about, beyond its own fixed size.
func (n *Notice) size() int {
	return len(n.Event.Data) + len(n.Event.Metadata)
}

// Subscription delivers the log from a position on, each event once and in
// order, over as many connections as that takes.
type Subscription struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	queue  *queue
}

// Source is where notices come from: a Subscription, or whoever reads a log that
// is in the same process.
type Source interface {
	NextBatch(ctx context.Context, limit int) ([]Notice, error)
	Close()
}

var subscribing = operation{name: "subscribe"}

// Subscribe starts a subscription that ends with ctx, with Close, or with the
// client. Nothing fails here: NextBatch tells of what is wrong.
func (c *Client) Subscribe(ctx context.Context, options SubscribeOptions) *Subscription {
	if options.CheckpointEvery < 1 {
		options.CheckpointEvery = 1024
	}
	if options.Buffer < 1 {
		options.Buffer = 4096
	}
	s := &Subscription{queue: newQueue(options.Buffer)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if err := options.Filter.check(); err != nil {
		s.queue.close(subscribing.fail(ErrInvalid, err))
		return s
	}
	leave := context.AfterFunc(c.life, s.Close)
	context.AfterFunc(s.ctx, func() { s.queue.close(s.ended()) })
	go func() {
		defer leave()
		err := newFollower(c, s.queue, options).follow(s.ctx)
		if s.ctx.Err() == nil {
			s.queue.close(err)
		}
	}()
	return s
}

// NextBatch waits for a notice and returns all that have come by then, up to
// limit of them: one at a time while the log is quiet, thousands while there is
// history to catch up with. It is meant for one goroutine.
//
// A log that is away is waited for. What else goes wrong is final: when the log
// refuses (ErrAccessDenied, ErrInvalid) or is at fault (ErrFault), the notices
// from before are delivered first; when the subscription was closed, or the
// context that it was made with is over, they are not. Only when ctx is over
// does the subscription go on.
func (s *Subscription) NextBatch(ctx context.Context, limit int) ([]Notice, error) {
	if limit < 1 {
		return nil, subscribing.fail(ErrInvalid, fmt.Errorf("a batch of %d", limit))
	}
	if s.ctx.Err() != nil {
		return nil, s.ended()
	}
	batch, err := s.queue.take(ctx, limit)
	if err != nil && ctx.Err() != nil {
		return nil, subscribing.fail(ctx.Err(), nil)
	}
	return batch, err
}

// Close ends the subscription: NextBatch fails with ErrClosed from now on.
func (s *Subscription) Close() {
	s.cancel(ErrClosed)
}

func (s *Subscription) ended() error {
	return subscribing.fail(context.Cause(s.ctx), nil)
}
