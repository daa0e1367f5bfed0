package eventstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// ConsumeOptions says how a consumer takes part in a group.
type ConsumeOptions struct {
	// Buffer is how many events the log gives the consumer beyond those that it
	// has answered, 10 by default. The time for which one waits here counts
	// towards GroupSettings.MessageTimeout.
	Buffer int
}

// Delivery is an event in a consumer's hands. One of its methods is called once,
// from any goroutine; none of them waits. When the connection by which the event
// came is lost before the answer has gone out, the group delivers it again.
type Delivery struct {
	Event   Recorded
	Retries int // how often it was delivered before, also to others

	answer *esdb.ResolvedEvent
	from   *session
}

// Ack says that the event has been dealt with.
func (d *Delivery) Ack() { d.from.ack(d.answer) }

// Retry has the group deliver the event again, or park it where that has been
// done often enough.
func (d *Delivery) Retry() { d.from.nack(esdb.NackActionRetry, "to be tried again", d.answer) }

// MaxReason is how much of a reason is kept, in bytes. There is room for a stack.
const MaxReason = 16 << 10

// Park has the group set the event aside: a link to it, with the reason, goes to
// the group's ParkedStream.
func (d *Delivery) Park(reason string) {
	// What is no UTF-8 could not be sent, and neither could any answer after it.
	reason = strings.ToValidUTF8(reason[:min(len(reason), MaxReason)], "")
	d.from.nack(esdb.NackActionPark, reason, d.answer)
}

// Consumer takes part in a group, over as many connections as that takes.
type Consumer struct {
	client  *Client
	group   Group
	buffer  int
	ctx     context.Context // ends everything at once
	cancel  context.CancelCauseFunc
	staying context.Context // ends when the consumer is to take leave
	leave   context.CancelFunc

	deliveries chan Delivery
	done       chan struct{} // closed when it takes part no more
	err        error         // why; written before done is closed
}

// Consume starts taking part in a group, which has been created. That ends with
// ctx, with Close, or with the client. Nothing fails here: Next tells of what is
// wrong.
func (c *Client) Consume(ctx context.Context, group Group, options ConsumeOptions) *Consumer {
	buffer := options.Buffer
	if buffer < 1 {
		buffer = 10
	}
	k := &Consumer{
		client: c, group: group, buffer: buffer,
		deliveries: make(chan Delivery, buffer), done: make(chan struct{}),
	}
	k.ctx, k.cancel = context.WithCancelCause(ctx)
	k.staying, k.leave = context.WithCancel(k.ctx)
	leave := context.AfterFunc(c.life, func() { k.cancel(ErrClosed) })
	go func() {
		defer leave()
		k.err = k.takePart()
		k.cancel(ErrClosed)
		close(k.done)
	}()
	return k
}

// Next waits for the next event.
//
// A log that is away is waited for. What else goes wrong is final: there is no
// such group any more (ErrGroupNotFound), the log refuses (ErrAccessDenied,
// ErrInvalid) or is at fault (ErrFault), the consumer was closed, or the context
// that it was made with is over. Only when ctx is over does it go on.
func (k *Consumer) Next(ctx context.Context) (Delivery, error) {
	for {
		select {
		case d := <-k.deliveries:
			if !d.from.lost() { // else somebody gets it again
				return d, nil
			}
		case <-k.staying.Done():
			return Delivery{}, k.ended()
		case <-ctx.Done():
			return Delivery{}, k.operation().fail(ctx.Err(), nil)
		}
	}
}

// Close takes leave: the answers given so far are sent, and what else the
// consumer has in hand goes back to the group. Answers given from now on may be
// lost. It returns when that is done, at the latest when ctx is over.
func (k *Consumer) Close(ctx context.Context) {
	k.leave()
	select {
	case <-k.done:
	case <-ctx.Done():
	}
	k.cancel(ErrClosed)
}

func (k *Consumer) operation() operation { return k.group.operation("consume as") }

// ended waits for the reason, which is not far when there is one.
func (k *Consumer) ended() error {
	if k.ctx.Err() == nil {
		return k.operation().fail(ErrClosed, nil) // Close is at work
	}
	<-k.done
	return k.err
}

// takePart returns when the consumer has taken leave or the log refuses.
func (k *Consumer) takePart() error {
	if err := k.group.check(); err != nil {
		return k.operation().fail(ErrInvalid, err)
	}
	for try := 0; ; try++ {
		s := newSession(k)
		err := s.run()
		if k.staying.Err() != nil {
			return k.operation().fail(orClosed(context.Cause(k.ctx)), nil)
		}
		if !passing(err) {
			return k.operation().refused(err)
		}
		if s.delivered.Load() {
			try = 0
		}
		level := slog.LevelDebug
		if try == 0 {
			level = slog.LevelWarn // once an outage
		}
		k.client.logger.Log(k.ctx, level, "consumer interrupted",
			"stream", k.group.Stream, "group", k.group.Name, "error", reasonOf(err))
		k.client.backoff.pause(k.staying, try)
	}
}

// orClosed is why a consumer has ended of whose context nothing is wrong.
func orClosed(cause error) error {
	if cause == nil || errors.Is(cause, ErrClosed) {
		return ErrClosed
	}
	return cause
}
