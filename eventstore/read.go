package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// readAhead is how many events a read holds that its user has not asked for yet.
const readAhead = 1024

// ReadStream yields the stream's events from the revision on, in order. It
// streams: memory does not grow with the stream. A stream that does not exist
// yields ErrStreamNotFound; one that ends before the revision yields nothing.
//
// When the connection is lost, it goes on where it was. Without a deadline in
// ctx it fails when no event has come for about Config.Timeout. An error is the
// last thing it yields.
func (c *Client) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error] {
	op := operation{"read", stream}
	return func(yield func(Recorded, error) bool) {
		if stream == "" {
			yield(Recorded{}, op.fail(ErrInvalid, errNoStreamName))
			return
		}
		if traced(ctx) {
			var end func()
			ctx, yield, end = traceRead(ctx, stream, yield)
			defer end()
		}
		c.read(ctx, op, &streamCursor{stream: stream, next: from}, yield)
	}
}

// ReadAll yields the events of the whole log that come after the position, in
// order, the system's own ($…) among them. It ends at the head that it finds;
// to go on from there, subscribe. The rest is as with ReadStream.
func (c *Client) ReadAll(ctx context.Context, after Position) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		cursor := &logCursor{after: after, begun: after != Start()}
		c.read(ctx, operation{name: "read the log"}, cursor, yield)
	}
}

// Head returns the position of the last event of the whole log, and Start when
// there is none.
func (c *Client) Head(ctx context.Context) (Position, error) {
	op := operation{name: "read the head"}
	return call(ctx, c, op, func(ctx context.Context, db *esdb.Client) (Position, error) {
		options := esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}
		stream, err := db.ReadAll(ctx, options, 1)
		if err != nil {
			return Position{}, err
		}
		defer stream.Close()
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return Start(), nil
		}
		if err != nil {
			return Position{}, err
		}
		return recorded(event).Position, nil
	})
}

// cursor is how far a read has come.
type cursor interface {
	// opener returns what starts a read here. It runs in another goroutine and
	// possibly late, so it must not look at the cursor.
	opener() request[*esdb.ReadStream]
	// admit moves the cursor behind the event. It is false for the event that
	// the cursor stood on, which a resumed read gets again.
	admit(*Recorded) (bool, error)
}

type streamCursor struct {
	stream string
	next   uint64
}

func (c *streamCursor) opener() request[*esdb.ReadStream] {
	stream, options := c.stream, esdb.ReadStreamOptions{From: esdb.Revision(c.next)}
	return func(ctx context.Context, db *esdb.Client) (*esdb.ReadStream, error) {
		return db.ReadStream(ctx, stream, options, math.MaxInt64)
	}
}

func (c *streamCursor) admit(e *Recorded) (bool, error) {
	if e.Revision < c.next {
		return false, fmt.Errorf("revision %d came where %d or a later one was due", e.Revision, c.next)
	}
	c.next = e.Revision + 1
	return true, nil
}

type logCursor struct {
	after Position
	begun bool // after is a real position, and not the start of the log
}

func (c *logCursor) opener() request[*esdb.ReadStream] {
	options := esdb.ReadAllOptions{From: c.from()}
	return func(ctx context.Context, db *esdb.Client) (*esdb.ReadStream, error) {
		return db.ReadAll(ctx, options, math.MaxInt64)
	}
}

func (c *logCursor) from() esdb.AllPosition {
	if !c.begun {
		return esdb.Start{}
	}
	return esdb.Position{Commit: c.after.Commit, Prepare: c.after.Prepare}
}

func (c *logCursor) admit(e *Recorded) (bool, error) {
	if c.begun {
		switch order := e.Position.Compare(c.after); {
		case order == 0: // a read includes where it starts
			return false, nil
		case order < 0:
			return false, fmt.Errorf("position %s came after %s: is it the same log?", e.Position, c.after)
		}
	}
	c.after, c.begun = e.Position, true
	return true, nil
}

func (c *Client) read(ctx context.Context, op operation, cur cursor, yield func(Recorded, error) bool) {
	joined, leave := c.join(ctx)
	defer leave()
	patience, calm := c.bound(joined)
	defer func() { calm() }()

	var last error
	for try := 0; ; try++ {
		progress, err := c.readOnce(joined, patience, cur, yield)
		if err == nil {
			return
		}
		if !passing(err) {
			yield(Recorded{}, op.refused(err))
			return
		}
		if progress { // the log was there a moment ago: count anew
			calm()
			patience, calm = c.bound(joined)
			try, last = 0, nil
		}
		if last == nil || patience.Err() == nil {
			last = err
		}
		if patience.Err() != nil || !c.backoff.pause(patience, try) {
			yield(Recorded{}, c.gaveUp(ctx, op, last))
			return
		}
	}
}

// readOnce reads over one connection. It returns nil at the end of what there is
// to read and when the loop over the events was left. patience bounds the wait
// for the connection, ctx the reading.
func (c *Client) readOnce(ctx, patience context.Context, cur cursor, yield func(Recorded, error) bool) (progress bool, err error) {
	link, err := c.links.acquire(patience)
	if err != nil {
		return false, err
	}
	tryCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	events := newQueue(readAhead)
	receive := receiver(cur.opener(), events)
	c.spare.run(func() {
		defer c.links.release(link)
		events.close(shielded(tryCtx, link.db, receive).err)
	})

	silence := time.AfterFunc(c.timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	for {
		batch, err := events.take(tryCtx, readAhead)
		silence.Stop() // the time that the user takes does not count
		if errors.Is(err, errEnd) {
			return progress, nil
		}
		if err != nil {
			if errors.Is(context.Cause(tryCtx), errSilent) {
				err = errSilent
			}
			if connectionLost(err) {
				c.links.drop(link)
			}
			return progress, err
		}
		for i := range batch {
			event := &batch[i].Event
			fresh, err := cur.admit(event)
			if err != nil {
				return progress, err
			}
			if fresh && !yield(*event, nil) {
				return progress, nil
			}
		}
		progress = true
		silence.Reset(c.timeout)
	}
}

// errEnd: all there was to read has been read. io.EOF will not do, because a
// connection that breaks while the read is being asked for says the same.
var errEnd = errors.New("end of the read")

// receiver makes a request that lasts for a whole read and puts its events into
// the queue.
func receiver(open request[*esdb.ReadStream], events *queue) request[struct{}] {
	return func(ctx context.Context, db *esdb.Client) (none struct{}, err error) {
		stream, err := open(ctx, db)
		if err != nil {
			return none, err
		}
		defer stream.Close()
		for {
			event, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return none, errEnd
			}
			if err != nil {
				return none, err
			}
			if err := events.put(ctx, Notice{Event: recorded(event)}); err != nil {
				return none, err
			}
		}
	}
}

func recorded(resolved *esdb.ResolvedEvent) Recorded {
	e := resolved.Event
	position := Position{Commit: e.Position.Commit, Prepare: e.Position.Prepare}
	if position.Commit == math.MaxUint64 { // how the log says that it does not know
		position = Position{}
	}
	return Recorded{
		Stream:   e.StreamID,
		Revision: e.EventNumber,
		Position: position,
		ID:       e.EventID,
		Type:     e.EventType,
		Created:  e.CreatedDate,
		Data:     e.Data,
		Metadata: e.UserMetadata,
	}
}
