package bookmark

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"portal.example/eventstore"
)

// ErrOtherLog says that a log is not the one that a place is in: it is another
// one, or an older backup. Positions mean other events there.
var ErrOtherLog = errors.New("the log does not contain what was read of it before")

// Place is how far into which log somebody has come. The zero value is the start
// of any log.
type Place struct {
	Log      uuid.UUID // id of the log's first event; uuid.Nil where it was empty, or nobody asked
	Position eventstore.Position

	// The last event that was dealt with, by which the log is recognised;
	// uuid.Nil where there was none yet.
	EventID  uuid.UUID
	Stream   string
	Revision uint64
}

// At is the place of an event in the same log.
func (p Place) At(e *eventstore.Recorded) Place {
	return Place{Log: p.Log, Position: e.Position, EventID: e.ID, Stream: e.Stream, Revision: e.Revision}
}

// End is the place behind everything that is in a log now.
func End(ctx context.Context, log *eventstore.Client) (p Place, err error) {
	if p.Log, err = LogID(ctx, log); err == nil {
		p.Position, err = log.Head(ctx)
	}
	return p, err
}

// LogID is the id of a log's first event, uuid.Nil where there is none.
func LogID(ctx context.Context, log *eventstore.Client) (uuid.UUID, error) {
	for e, err := range log.ReadAll(ctx, eventstore.Start()) {
		return e.ID, err
	}
	return uuid.Nil, nil
}

// Verify fails with ErrOtherLog where the place is not in the log: where that
// begins with another event, ends before the position, or does not have the
// place's event where it was.
func (p Place) Verify(ctx context.Context, log *eventstore.Client) error {
	if p.Log != uuid.Nil {
		first, err := LogID(ctx, log)
		if err != nil {
			return err
		}
		if first != p.Log {
			return fmt.Errorf("%w: it begins with another event", ErrOtherLog)
		}
	}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	if head.Compare(p.Position) < 0 {
		return fmt.Errorf("%w: it ends before position %s", ErrOtherLog, p.Position)
	}
	if p.EventID == uuid.Nil {
		return nil
	}
	return p.verifyEvent(ctx, log)
}

// verifyEvent leaves positions out: EventStoreDB does not tell them of events
// that are read from a stream.
func (p Place) verifyEvent(ctx context.Context, log *eventstore.Client) error {
	for e, err := range log.ReadStream(ctx, p.Stream, p.Revision) {
		switch {
		case errors.Is(err, eventstore.ErrStreamNotFound), errors.Is(err, eventstore.ErrStreamDeleted):
			return fmt.Errorf("%w: stream %s is not in it", ErrOtherLog, p.Stream)
		case err != nil:
			return err
		case e.Revision != p.Revision || e.ID != p.EventID:
			return fmt.Errorf("%w: event %d of stream %s is another one", ErrOtherLog, p.Revision, p.Stream)
		}
		return nil
	}
	return fmt.Errorf("%w: stream %s ends before event %d", ErrOtherLog, p.Stream, p.Revision)
}
