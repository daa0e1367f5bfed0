package eventstore

import (
	"context"
	"errors"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// follower is the goroutine behind a subscription: it fills the queue, and
// subscribes again from where it was when the connection is lost.
type follower struct {
	client  *Client
	queue   *queue
	options SubscribeOptions

	event  logCursor // the last event
	resume Position  // the last event or checkpoint
	live   bool      // since CaughtUp
}

func newFollower(c *Client, q *queue, options SubscribeOptions) *follower {
	return &follower{
		client: c, queue: q, options: options,
		event:  logCursor{after: options.From, begun: options.From != Start()},
		resume: options.From,
	}
}

// follow returns when ctx is over or the log refuses.
func (f *follower) follow(ctx context.Context) error {
	for try := 0; ; try++ {
		before := f.resume
		err := f.followOnce(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !passing(err) {
			return subscribing.refused(err)
		}
		if f.resume != before {
			try = 0
		}
		f.client.logger.Warn("subscription interrupted", "position", f.resume, "error", reasonOf(err))
		if f.live {
			if err := f.notify(ctx, FellBehind); err != nil {
				return err
			}
		}
		f.client.backoff.pause(ctx, try)
	}
}

// followOnce follows over one connection. It may last beyond ctx when the esdb
// client sits on it; the subscription's queue has been closed by then.
func (f *follower) followOnce(ctx context.Context) error {
	link, err := f.client.links.acquire(ctx)
	if err != nil {
		return err
	}
	defer f.client.links.release(link)
	tryCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// A live subscription may be silent for ever, but it is confirmed at once.
	silence := time.AfterFunc(f.client.timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	err = shielded(tryCtx, link.db, func(ctx context.Context, db *esdb.Client) (none struct{}, err error) {
		subscription, err := db.SubscribeToAll(ctx, f.request())
		if err != nil {
			return none, err
		}
		defer func() { _ = subscription.Close() }() // never fails
		silence.Stop()
		return none, f.receive(ctx, subscription)
	}).err

	if errors.Is(context.Cause(tryCtx), errSilent) {
		err = errSilent
	}
	if connectionLost(err) {
		f.client.links.drop(link)
	}
	return err
}

func (f *follower) request() esdb.SubscribeToAllOptions {
	options := esdb.SubscribeToAllOptions{From: esdb.Start{}}
	if f.event.begun || f.resume != Start() {
		options.From = esdb.Position{Commit: f.resume.Commit, Prepare: f.resume.Prepare}
	}
	f.options.Filter.apply(&options, f.options.CheckpointEvery)
	return options
}

// receive puts into the queue what comes, until the subscription is dropped.
func (f *follower) receive(ctx context.Context, subscription *esdb.Subscription) error {
	for {
		var err error
		switch message := subscription.Recv(); {
		case message.EventAppeared != nil:
			err = f.eventAppeared(ctx, recorded(message.EventAppeared))
		case message.CheckPointReached != nil:
			err = f.checkpointReached(ctx, Position{
				Commit: message.CheckPointReached.Commit, Prepare: message.CheckPointReached.Prepare,
			})
		case message.CaughtUp != nil:
			err = f.notify(ctx, CaughtUp)
		case message.FellBehind != nil:
			err = f.notify(ctx, FellBehind)
		case message.SubscriptionDropped != nil:
			err = message.SubscriptionDropped.Error
		default:
			err = errors.New("an empty message")
		}
		if err != nil {
			return err
		}
	}
}

func (f *follower) eventAppeared(ctx context.Context, event Recorded) error {
	fresh, err := f.event.admit(&event)
	if err != nil || !fresh {
		return err
	}
	if err := f.queue.put(ctx, Notice{Kind: EventAppeared, Event: event, Position: event.Position}); err != nil {
		return err
	}
	f.advance(event.Position)
	return nil
}

func (f *follower) checkpointReached(ctx context.Context, position Position) error {
	if position.Compare(f.resume) < 0 {
		return nil // would only move its reader back
	}
	if err := f.queue.put(ctx, Notice{Kind: CheckpointReached, Position: position}); err != nil {
		return err
	}
	f.advance(position)
	return nil
}

// notify passes on that the subscription has, or has not, caught up.
func (f *follower) notify(ctx context.Context, kind NoticeKind) error {
	f.live = kind == CaughtUp
	return f.queue.put(ctx, Notice{Kind: kind, Position: f.resume})
}

func (f *follower) advance(position Position) {
	if position.Compare(f.resume) > 0 {
		f.resume = position
	}
}
