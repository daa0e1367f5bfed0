package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

var (
	// ErrClosed is returned by everything asked of a closed journal.
	ErrClosed = errors.New("the journal is closed")
	// ErrLocked says that another process has the data folder open.
	ErrLocked = errors.New("the data folder is in use by another process")
	// ErrFailed says that an earlier write failed: the journal takes no more
	// until it is opened anew, because memory and disk may disagree.
	ErrFailed = errors.New("the journal stopped after a failed write")
)

var (
	// errMissing says that the index names an event that is not there.
	errMissing = errors.New("the index names an event that is not there")
	// errForgotten says that what was to be read as of some position has been
	// deleted since: newer events have taken its place.
	errForgotten = errors.New("deleted while it was read")
)

// Corruption reports stored bytes that are not what was written. What it names
// has not been served.
type Corruption struct {
	Where string // the place: an event's position, a stream's revision, a file
	Err   error
}

func (c *Corruption) Error() string { return fmt.Sprintf("corrupt data at %s: %v", c.Where, c.Err) }
func (c *Corruption) Unwrap() error { return c.Err }

// corruptAt marks err as corruption found at a place, where it is one.
func corruptAt(where string, err error) error {
	if pebble.IsCorruptionError(err) {
		return &Corruption{Where: where, Err: err}
	}
	return err
}

// WrongExpected says that a stream is not at the revision that the writer
// demanded. Current is -1 where there is no stream.
type WrongExpected struct {
	Stream   string
	Expected Expected
	Current  int64
}

func (e *WrongExpected) Error() string {
	return fmt.Sprintf("stream %q: expected %v, is at %d", e.Stream, e.Expected, e.Current)
}

// StreamDeleted says that a stream was tombstoned, or soft-deleted where the
// caller demanded that it exists.
type StreamDeleted struct{ Stream string }

func (e *StreamDeleted) Error() string { return fmt.Sprintf("stream %q is deleted", e.Stream) }
