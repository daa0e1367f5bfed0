package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

const (
	// maxQuarantined is how many streams of a build can be in quarantine. More
	// than that are no accident of data.
	maxQuarantined = 1000

	// maxErrorText bounds what is kept of an error, and of its stack.
	maxErrorText = 4000
)

// errBroken says that not some streams are at fault but the projection, which
// had better stop than go on without them.
var errBroken = errors.New("the quarantine is full: the projection itself must be at fault")

// findings are what a transaction finds out about streams that cannot be
// applied. They count once it is committed.
type findings struct {
	quarantined map[string]bool // before
	poisoned    map[string]*poison
	heldBack    map[string]*span // of streams in quarantine, the poisoned events not included
}

// poison is an event that cannot be applied, and why.
type poison struct {
	event *eventstore.Decoded
	err   error
}

// span is events of a stream that were held back.
type span struct {
	last  uint64 // revision
	count int
}

func newFindings(quarantined map[string]bool) *findings {
	return &findings{
		quarantined: quarantined,
		poisoned:    make(map[string]*poison),
		heldBack:    make(map[string]*span),
	}
}

// sift returns the events that can go to the projection. It holds back those of
// streams in quarantine, and finds those that could not be decoded.
func (f *findings) sift(events []eventstore.Decoded) ([]eventstore.Decoded, error) {
	if f.clean(events) {
		return events, nil
	}
	good := make([]eventstore.Decoded, 0, len(events))
	for i := range events {
		e := &events[i]
		switch {
		case f.inQuarantine(e.Record.Stream):
			f.holdBack(e)
		case e.Err != nil:
			if err := f.poison(e, e.Err); err != nil {
				return nil, err
			}
		default:
			good = append(good, *e)
		}
	}
	return good, nil
}

func (f *findings) clean(events []eventstore.Decoded) bool {
	for i := range events {
		if events[i].Err != nil || f.inQuarantine(events[i].Record.Stream) {
			return false
		}
	}
	return true
}

func (f *findings) inQuarantine(stream string) bool {
	return f.quarantined[stream] || f.poisoned[stream] != nil
}

func (f *findings) holdBack(e *eventstore.Decoded) {
	s := f.heldBack[e.Record.Stream]
	if s == nil {
		s = &span{}
		f.heldBack[e.Record.Stream] = s
	}
	s.last, s.count = e.Record.Revision, s.count+1
}

func (f *findings) poison(e *eventstore.Decoded, err error) error {
	if len(f.quarantined)+len(f.poisoned) >= maxQuarantined {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	f.poisoned[e.Record.Stream] = &poison{event: e, err: err}
	return nil
}

func (f *findings) store(ctx context.Context, tx pgx.Tx, build int64) error {
	if len(f.poisoned)+len(f.heldBack) == 0 {
		return nil
	}
	var statements pgx.Batch
	for stream, p := range f.poisoned {
		r := &p.event.Record
		statements.Queue(`
			INSERT INTO runner.quarantine
			  (build_id, stream, business_id, event_id, event_type, event_revision, event_position, held_revision, error, stack)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $8, $9)`,
			build, stream, p.event.Metadata.Business, r.ID, r.Type, r.Revision, r.Position.Commit,
			storable(p.err.Error()), storable(stackOf(p.err)))
	}
	for stream, s := range f.heldBack {
		statements.Queue(`
			UPDATE runner.quarantine SET held = held + $3, held_revision = $4
			WHERE build_id = $1 AND stream = $2`, build, stream, s.count, s.last)
	}
	return tx.SendBatch(ctx, &statements).Close()
}

// storable is a text as it is kept, which Postgres must be able to store.
func storable(said string) string {
	text := []rune(said)
	kept := make([]rune, 0, min(len(text), maxErrorText))
	for _, r := range text {
		if r != 0 && len(kept) < maxErrorText {
			kept = append(kept, r)
		}
	}
	return string(kept)
}
