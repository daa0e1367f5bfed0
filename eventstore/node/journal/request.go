package journal

import (
	"context"
	"errors"
)

// Result is the answer to a write: where the last event stands. Both numbers
// are the first answer's where the write is a repeat.
type Result struct {
	Revision int64 // -1 where nothing was written to a stream that is not there
	Position uint64
}

// request is one client's write on its way through the writer.
type request struct {
	kind     kind
	stream   string
	expected Expected
	events   []Event
	size     int

	// prior is the head as somebody else than the writer has read it; it spares
	// the writer the look-up where it still holds.
	prior   *head
	priorAt uint64 // everything up to this position was applied before

	forget *deletion

	result Result
	err    error
	done   chan struct{}
}

type kind uint8

const (
	appendEvents kind = iota
	softDelete
	tombstone
	forget // retention's
)

// Append writes events to the end of a stream, all or none, and returns when
// they are on disk. Where ctx ends first, the write may still happen.
func (j *Journal) Append(ctx context.Context, stream string, expected Expected, events []Event) (Result, error) {
	return j.submit(ctx, appendOf(stream, expected, events))
}

// Submit hands an append over without waiting for the disk. What one goroutine
// submits is decided in that order.
func (j *Journal) Submit(ctx context.Context, stream string, expected Expected, events []Event) (*Pending, error) {
	r := appendOf(stream, expected, events)
	if err := j.enqueue(ctx, r); err != nil {
		return nil, err
	}
	return &Pending{journal: j, request: r}, nil
}

// Pending is an append that has its place among all writes and waits for its
// answer.
type Pending struct {
	journal *Journal
	request *request
}

// Wait returns what Append returns.
func (p *Pending) Wait(ctx context.Context) (Result, error) { return p.journal.await(ctx, p.request) }

func appendOf(stream string, expected Expected, events []Event) *request {
	size := 0
	for i := range events {
		size += len(events[i].Data) + len(events[i].Metadata) + len(events[i].Type) + len(stream) + lengthsAt
	}
	return &request{kind: appendEvents, stream: stream, expected: expected, events: events, size: size}
}

// Delete hides all events of a stream, which a later append can revive.
func (j *Journal) Delete(ctx context.Context, stream string, expected Expected) (Result, error) {
	return j.submit(ctx, &request{kind: softDelete, stream: stream, expected: expected})
}

// Tombstone ends a stream for good.
func (j *Journal) Tombstone(ctx context.Context, stream string, expected Expected) (Result, error) {
	return j.submit(ctx, &request{kind: tombstone, stream: stream, expected: expected})
}

func (j *Journal) submit(ctx context.Context, r *request) (Result, error) {
	if err := j.enqueue(ctx, r); err != nil {
		return Result{}, err
	}
	return j.await(ctx, r)
}

func (j *Journal) enqueue(ctx context.Context, r *request) error {
	if err := j.permanent.check(r); err != nil {
		return err
	}
	if full := j.refusal(r); full != nil { // nobody waits behind a write that waits for room
		return full
	}
	if err := j.lookAhead(r); err != nil {
		return err
	}
	r.done = make(chan struct{})
	select {
	case j.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-j.closing:
		return ErrClosed
	}
}

func (j *Journal) await(ctx context.Context, r *request) (Result, error) {
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-j.stopped:
		select {
		case <-r.done: // answered just before the writer stopped
			return r.result, r.err
		default:
			return Result{}, ErrClosed
		}
	}
}

// refusal is why the disk has no room for a request, nil where it has. What
// retention asks for frees some.
func (j *Journal) refusal(r *request) error {
	if full := j.space.full.Load(); full != nil && r.kind != forget {
		return full
	}
	return nil
}

// lookAhead reads the stream's head in the caller's goroutine, so that the one
// writer seldom waits for the disk.
func (j *Journal) lookAhead(r *request) error {
	if j.heads.holds(r.stream) {
		return nil
	}
	release, err := j.reading()
	if err != nil {
		return err
	}
	defer release()
	r.priorAt = j.applied.Load()
	r.prior, err = j.loadHeadExpecting(r.expected, r.stream, everything)
	if errors.Is(err, errForgotten) { // the writer, whom nobody overtakes, looks itself
		r.prior, err = nil, nil
	}
	return err
}
