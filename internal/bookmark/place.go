package bookmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"portal.example/eventstore"
)

// ErrOtherLog says that a log is not the one that a place is in: it is another
// one, or an older backup. Positions mean other events there.
var ErrOtherLog = errors.New("the log does not contain what was read of it before")

// Place is how far into which log somebody has come. The zero value is the start
// of any log.
type Place struct {
	Log      uuid.UUID // LogID; uuid.Nil where the log was empty, or nobody asked
	Position eventstore.Position

	// The last event that was dealt with, by which the log is recognised;
	// uuid.Nil where there was none yet. Position may be beyond it.
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

// LogID is the id of a log's present incarnation, uuid.Nil where it is empty.
func LogID(ctx context.Context, log *eventstore.Client) (uuid.UUID, error) {
	all, err := incarnations(ctx, log)
	if err != nil || len(all) == 0 {
		return uuid.Nil, err
	}
	return all[len(all)-1].id, nil
}

// incarnation is a log from its first event on, or from a restore on, which it
// notes: positions after that were others' before.
type incarnation struct {
	id   uuid.UUID           // of that event
	from eventstore.Position // of that event
}

// incarnations are all that a log has had, the present one last.
func incarnations(ctx context.Context, log *eventstore.Client) (all []incarnation, err error) {
	for e, err := range log.ReadAll(ctx, eventstore.Start()) {
		if err != nil {
			return nil, err
		}
		all = append(all, incarnation{e.ID, e.Position})
		break
	}
	for e, err := range log.ReadStream(ctx, eventstore.RestoresStream, 0) {
		switch {
		// EventStoreDB notes no restore, and shows no system stream to everybody.
		case errors.Is(err, eventstore.ErrStreamNotFound), errors.Is(err, eventstore.ErrAccessDenied):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, incarnation{e.ID, e.Position})
	}
	return all, nil
}

// Verify fails with ErrOtherLog where the place is not in the log, and returns it
// as it is in the log's present incarnation. A log does not have the place where
// it begins with another event, was restored since to a state before the place,
// ends before the position, or has another event, or none, where the place's was.
//
// What remains: a restore is noted by `portal restore` alone. Where EventStoreDB, or
// a folder copied by hand, has gone back to before the position and grown past it
// again, only the place's event tells, which Position may be beyond by events that
// nobody waited for: of what has come instead of those, nothing is dealt with. Nor
// does anybody verify while they follow; a log goes back only while its node is
// stopped, and who follows it is to be started anew with it.
func (p Place) Verify(ctx context.Context, log *eventstore.Client) (Place, error) {
	all, err := incarnations(ctx, log)
	if err != nil {
		return p, err
	}
	if p.Log != uuid.Nil {
		at := slices.IndexFunc(all, func(i incarnation) bool { return i.id == p.Log })
		if at < 0 {
			return p, fmt.Errorf("%w: it begins with another event", ErrOtherLog)
		}
		if next := at + 1; next < len(all) && p.Position.Compare(all[next].from) >= 0 {
			return p, fmt.Errorf("%w: it was restored to a state before position %s", ErrOtherLog, p.Position)
		}
	}
	head, err := log.Head(ctx)
	if err != nil {
		return p, err
	}
	if head.Compare(p.Position) < 0 {
		return p, fmt.Errorf("%w: it ends before position %s", ErrOtherLog, p.Position)
	}
	if p.EventID != uuid.Nil {
		if err := p.verifyEvent(ctx, log); err != nil {
			return p, err
		}
	}
	if len(all) > 0 {
		p.Log = all[len(all)-1].id
	}
	return p, nil
}

// verifyEvent leaves positions out: not every log tells them of events that are
// read from a stream.
func (p Place) verifyEvent(ctx context.Context, log *eventstore.Client) error {
	for e, err := range log.ReadStream(ctx, p.Stream, p.Revision) {
		switch {
		case errors.Is(err, eventstore.ErrStreamNotFound), errors.Is(err, eventstore.ErrStreamDeleted):
			return p.missing("stream %s is not in it", p.Stream)
		case err != nil:
			return err
		case e.Revision > p.Revision:
			return nil // the stream has gone on, and its beginning was trimmed
		case e.ID != p.EventID:
			return fmt.Errorf("%w: event %d of stream %s is another one", ErrOtherLog, p.Revision, p.Stream)
		}
		return nil
	}
	return p.missing("stream %s ends before event %d", p.Stream, p.Revision)
}

// missing is ErrOtherLog, but for the system's streams: those are trimmed and
// deleted in everyday life, and that an event of theirs is gone tells nothing.
func (p Place) missing(format string, args ...any) error {
	if strings.HasPrefix(p.Stream, "$") {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrOtherLog, fmt.Sprintf(format, args...))
}
