package node

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"portal.example/eventstore/node/journal"
)

// The bounds of one BatchAppend call, within which its client may send on
// without waiting for answers.
const (
	maxOpenBatches = 128      // appends whose last part has not come
	maxOpenBytes   = 8 << 20  // of those
	maxFlying      = 1024     // appends on their way to the disk, or answers to the client
	maxCallBytes   = 16 << 20 // of both: there is always room for one more part
	eventOverhead  = 256      // bytes, about, that an event takes beside its own
)

// BatchAppend takes appends in parts that may be interleaved, and answers each
// by its correlation id when it is on disk. An append goes to the journal when
// its last part has come, without waiting for the ones before it; they are
// written and answered in that order.
func (s *streamsService) BatchAppend(call streams.Streams_BatchAppendServer) error {
	ctx, cancel := context.WithCancel(call.Context())
	defer cancel()
	b := &batchCall{
		service: s, call: call, ctx: ctx,
		open: map[uuid.UUID]*batch{}, expiry: time.NewTimer(math.MaxInt64),
		flying: make(chan *batch, maxFlying), bytes: semaphore.NewWeighted(maxCallBytes), broken: make(chan struct{}),
	}
	defer b.expiry.Stop()
	answered := make(chan error, 1)
	go func() { answered <- b.answerAll() }()
	err := b.take()
	close(b.flying)
	if broken := <-answered; broken != nil {
		return broken
	}
	return err
}

// batchCall is one call of BatchAppend.
type batchCall struct {
	service *streamsService
	call    streams.Streams_BatchAppendServer
	ctx     context.Context //nolint:containedctx // the call's own, and this lives as long as the call

	open      map[uuid.UUID]*batch // by correlation id
	openBytes int
	expiry    *time.Timer // of the first of them to be given up

	flying chan *batch // in the order in which they are answered
	bytes  *semaphore.Weighted
	broken chan struct{} // closed when nothing can be answered any more
}

// batch is one append of a call.
type batch struct {
	proposal
	correlation *shared.UUID
	target      *shared.StreamIdentifier
	deadline    time.Time
	weight      int // bytes taken of the call's

	// While it is flying: where to wait, or err.
	pending *journal.Pending
	ctx     context.Context //nolint:containedctx // ends with the append's deadline
	cancel  context.CancelFunc
}

// take takes parts in until the client has sent its last, or the node stops.
func (b *batchCall) take() error {
	parts, ended := make(chan *streams.BatchAppendReq), make(chan error, 1)
	go func() { ended <- b.receive(parts) }()
	for {
		select {
		case part := <-parts:
			if err := b.part(part); err != nil {
				return err
			}
		case err := <-ended:
			if !errors.Is(err, io.EOF) {
				return err
			}
			return b.giveUp(func(*batch) bool { return true }, invalid("append: the call ended before the append's last part"))
		case now := <-b.expiry.C:
			if err := b.expire(now); err != nil {
				return err
			}
		case <-b.broken:
			return nil
		case <-b.service.alive.Done():
			return errStopping
		}
	}
}

func (b *batchCall) receive(parts chan<- *streams.BatchAppendReq) error {
	for {
		part, err := b.call.Recv()
		if err != nil {
			return err
		}
		select {
		case parts <- part:
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
	}
}

// part adds a part to its append. An error ends the call; what is wrong with
// the append alone is answered.
func (b *batchCall) part(part *streams.BatchAppendReq) error {
	id, err := parseUUID("correlation id", part.GetCorrelationId())
	if err != nil {
		return err // an answer could not say which append it is about
	}
	a := b.open[id]
	if a == nil && part.GetOptions() == nil {
		return nil // the rest of an append that has been refused
	}
	if a == nil {
		a = &batch{correlation: part.GetCorrelationId(), target: part.GetOptions().GetStreamIdentifier()}
		a.err = a.begin(b.ctx, part.GetOptions(), b.service.appendTimeout)
	}
	b.forget(id, a)
	for _, m := range part.GetProposedMessages() {
		if a.err == nil {
			a.err = a.add(m)
		}
	}
	if err := b.weigh(a); err != nil {
		return err
	}
	switch {
	case a.err == nil && part.GetIsFinal():
		a.ctx, a.cancel = context.WithDeadline(b.ctx, a.deadline)
		a.pending, a.err = b.service.journal.Submit(a.ctx, a.stream, a.expected, a.events)
		return b.fly(a)
	case a.err == nil && (len(b.open) == maxOpenBatches || b.openBytes+a.weight > maxOpenBytes):
		a.err = errTooManyOpen
	}
	if a.err != nil {
		return b.fly(a)
	}
	b.open[id] = a
	b.openBytes += a.weight
	return b.expire(time.Now())
}

func (b *batchCall) forget(id uuid.UUID, a *batch) {
	if b.open[id] == a {
		delete(b.open, id)
		b.openBytes -= a.weight
	}
}

// weigh takes what the append has grown by from the call's bytes. It waits until
// enough of what is flying has landed, which the bounds see to.
func (b *batchCall) weigh(a *batch) error {
	weight := a.size + eventOverhead*(len(a.events)+1) + len(a.stream)
	if a.err != nil {
		weight = a.weight
	}
	err := b.bytes.Acquire(b.ctx, int64(weight-a.weight))
	if err == nil {
		a.weight = weight
	}
	return err
}

// fly hands an append over to be answered.
func (b *batchCall) fly(a *batch) error {
	a.events = nil // the journal has them
	select {
	case b.flying <- a:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// expire gives up appends whose last part has not come in time.
func (b *batchCall) expire(now time.Time) error {
	err := b.giveUp(func(a *batch) bool { return !a.deadline.After(now) }, context.DeadlineExceeded)
	first := time.Duration(math.MaxInt64)
	for _, a := range b.open {
		first = min(first, a.deadline.Sub(now))
	}
	b.expiry.Reset(first)
	return err
}

func (b *batchCall) giveUp(which func(*batch) bool, why error) error {
	for id, a := range b.open {
		if !which(a) {
			continue
		}
		b.forget(id, a)
		a.err = why
		if err := b.fly(a); err != nil {
			return err
		}
	}
	return nil
}

// begin reads what an append's first part says about it.
func (a *batch) begin(ctx context.Context, o *streams.BatchAppendReq_Options, patience time.Duration) (err error) {
	if a.stream, err = streamName(o.GetStreamIdentifier()); err != nil {
		return err
	}
	if !writable(ctx, a.stream) {
		return errNotWritable
	}
	switch expected := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_NoStream:
		a.expected = journal.NoStream
	case *streams.BatchAppendReq_Options_Any:
		a.expected = journal.Any
	case *streams.BatchAppendReq_Options_StreamExists:
		a.expected = journal.StreamExists
	case *streams.BatchAppendReq_Options_StreamPosition:
		if expected.StreamPosition > math.MaxInt64 {
			return invalid("expected stream position %d: too large", expected.StreamPosition)
		}
		a.expected = journal.Expected(expected.StreamPosition)
	default:
		return invalid("expected stream position: missing")
	}
	switch deadline := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline:
		if err := deadline.Deadline.CheckValid(); err != nil {
			return invalid("deadline: %v", err)
		}
		patience = min(patience, deadline.Deadline.AsDuration())
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		if err := deadline.Deadline_21_10_0.CheckValid(); err != nil {
			return invalid("deadline: %v", err)
		}
		patience = min(patience, time.Until(deadline.Deadline_21_10_0.AsTime()))
	}
	if patience <= 0 {
		return context.DeadlineExceeded
	}
	a.deadline = time.Now().Add(patience)
	return nil
}
