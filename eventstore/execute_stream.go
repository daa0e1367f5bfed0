package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"
)

// record appends what was decided and remembers what it led to.
//
// The events are decoded again before they are sent: what is cached and
// answered is then what any later reader will find, and an event that could not
// be read back is never written.
func (c *Category[S, E]) record(
	ctx context.Context, stream string, h *history[S], m Metadata, decided []E,
) (Result[S, E], error) {
	proposed, err := c.codec.Encode(ctx, stream, m, anys(decided)...)
	if err != nil {
		return Result[S, E]{}, err
	}
	decoded, err := c.codec.DecodeBatch(ctx, h.foresee(stream, proposed))
	if err != nil {
		return Result[S, E]{}, err
	}
	r := Result[S, E]{CommandID: m.CommandID, Stream: stream, State: h.state}
	for _, d := range decoded {
		event, err := eventOf[E](d)
		if err != nil {
			return Result[S, E]{}, err
		}
		r.State = r.State.Evolve(event)
		r.Events, r.EventIDs = append(r.Events, event), append(r.EventIDs, d.Record.ID)
	}
	appended, err := c.log.Append(ctx, stream, h.expected(), proposed...)
	if err != nil {
		if !errors.Is(err, ErrWrongExpected) {
			c.cache.Remove(stream) // nobody knows whether the events were taken
		}
		return Result[S, E]{}, err
	}
	r.First, r.Last = appended.Revision+1-uint64(len(proposed)), appended.Revision

	h.appended(r.State, m, appended)
	c.cache.Add(stream, h)
	r.Position, err = c.known(ctx, appended.Position)
	return r, err
}

// known is a position, or the log's head where the log did not tell it: whoever
// reads on from what a command did must neither miss that nor wait for ever.
func (c *Category[S, E]) known(ctx context.Context, position Position) (Position, error) {
	if position != Start() {
		return position, nil
	}
	return c.log.Head(ctx)
}

// refresh folds what has been appended since. A conflict that no new event
// explains means that what is remembered is not what the log holds, which may
// have been restored from a backup; then it starts from the beginning.
func (c *Category[S, E]) refresh(ctx context.Context, stream string, h *history[S], conflict bool) (*history[S], error) {
	before := h.next
	err := c.catchUp(ctx, stream, h)
	if err == nil && conflict && h.next == before {
		h = newHistory[S]()
		err = c.catchUp(ctx, stream, h)
	}
	if err != nil {
		c.cache.Remove(stream)
		return nil, err
	}
	c.cache.Add(stream, h)
	return h, nil
}

func (c *Category[S, E]) catchUp(ctx context.Context, stream string, h *history[S]) error {
	for d, err := range c.read(ctx, stream, h.next) {
		if err != nil {
			return err
		}
		event, err := eventOf[E](d)
		if err != nil {
			return err
		}
		h.state = h.state.Evolve(event)
		h.saw(d)
	}
	return nil
}

// firstAnswer finds the events of a command in the stream and answers as when
// they were appended. It always reads: repeats are rare, and remembering every
// answer would cost more memory than the states.
func (c *Category[S, E]) firstAnswer(ctx context.Context, stream string, command uuid.UUID) (Result[S, E], error) {
	r := Result[S, E]{CommandID: command, Stream: stream}
	for d, err := range c.read(ctx, stream, 0) {
		if err != nil {
			return Result[S, E]{}, err
		}
		mine := d.Metadata.CommandID == command
		if !mine && len(r.Events) > 0 {
			break // the events of a command stand together
		}
		event, err := eventOf[E](d)
		if err != nil {
			return Result[S, E]{}, err
		}
		r.State = r.State.Evolve(event)
		if !mine {
			continue
		}
		if len(r.Events) == 0 {
			r.First = d.Record.Revision
		}
		r.Events, r.EventIDs = append(r.Events, event), append(r.EventIDs, d.Record.ID)
		r.Last, r.Position = d.Record.Revision, d.Record.Position
	}
	if len(r.Events) == 0 {
		return r, fmt.Errorf("eventstore: %s no longer holds the events of command %s: %w", stream, command, ErrStreamNotFound)
	}
	var err error
	r.Position, err = c.known(ctx, r.Position)
	return r, err
}

func (c *Category[S, E]) nothingNew(
	ctx context.Context, stream string, command uuid.UUID, h *history[S],
) (r Result[S, E], err error) {
	r = Result[S, E]{CommandID: command, Stream: stream, State: h.state}
	if h.next == 0 {
		return r, nil
	}
	r.First, r.Last = h.next-1, h.next-1
	h.position, err = c.known(ctx, h.position)
	r.Position = h.position
	return r, err
}

// decodeAtOnce is how many events of a stream share one look-up of keys.
const decodeAtOnce = 512

// read yields a stream from a revision on, decoded, and nothing where there is
// no stream.
func (c *Category[S, E]) read(ctx context.Context, stream string, from uint64) iter.Seq2[Decoded, error] {
	return func(yield func(Decoded, error) bool) {
		batch := make([]Recorded, 0, decodeAtOnce)
		flush := func() bool {
			decoded, err := c.codec.DecodeBatch(ctx, batch)
			if err != nil {
				yield(Decoded{}, err)
				return false
			}
			for _, d := range decoded {
				if !yield(d, nil) {
					return false
				}
			}
			batch = batch[:0]
			return true
		}
		for r, err := range c.log.ReadStream(ctx, stream, from) {
			if errors.Is(err, ErrStreamNotFound) {
				return
			}
			if err != nil {
				yield(Decoded{}, err)
				return
			}
			if batch = append(batch, r); len(batch) == decodeAtOnce && !flush() {
				return
			}
		}
		flush()
	}
}

func eventOf[E any](d Decoded) (E, error) {
	event, ok := d.Event.(E)
	if d.Err != nil {
		return event, d.Err
	}
	if !ok {
		return event, d.Record.fault(fmt.Errorf("%T does not belong to this category", d.Event))
	}
	return event, nil
}

func anys[E any](events []E) []any {
	list := make([]any, len(events))
	for i, e := range events {
		list[i] = e
	}
	return list
}
