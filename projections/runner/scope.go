package runner

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"portal.example/eventstore"
)

// Scope is the part of the log that a build is filled from. What is not set does
// not restrict it; the zero value is the whole log.
type Scope struct {
	Business string    `json:"business,omitempty"` // id
	Streams  []string  `json:"streams,omitempty"`
	Since    time.Time `json:"since,omitzero"` // events recorded from this moment on
	Until    time.Time `json:"until,omitzero"` // events recorded before this moment; the build is complete with them

	// Occurred has Since and Until mean when things happened, which of imported
	// histories is long before they were recorded. What happened before Until may
	// still become known: the build is kept up with the log.
	Occurred bool `json:"occurred,omitempty"`
}

// StreamRows is implemented by projections each of whose rows comes from the
// events of one stream, that in its _stream. The rows of single streams can then
// be replaced by those of a part replay.
type StreamRows interface{ RowsComeFromOneStream() }

const maxStreams = 1000

var errWrongScope = errors.New("the part of the log")

func (s *Scope) check() error {
	switch {
	case s == nil:
		return nil
	case len(s.Streams) > maxStreams:
		return fmt.Errorf("%w: %d streams; %d are the limit", errWrongScope, len(s.Streams), maxStreams)
	case slices.Contains(s.Streams, ""):
		return fmt.Errorf("%w: a stream without a name", errWrongScope)
	case !s.Since.IsZero() && !s.Until.IsZero() && !s.Since.Before(s.Until):
		return fmt.Errorf("%w: since %s is not before until %s", errWrongScope,
			s.Since.Format(time.RFC3339), s.Until.Format(time.RFC3339))
	case s.Occurred && s.Since.IsZero() && s.Until.IsZero():
		return fmt.Errorf("%w: by when things happened, and neither since nor until when", errWrongScope)
	}
	return nil
}

// whole tells whether nothing is left out.
func (s *Scope) whole() bool {
	return s == nil || s.Business == "" && len(s.Streams) == 0 && s.Since.IsZero() && s.Until.IsZero()
}

// replaceable says why the rows of the part cannot take the place of live ones,
// if they cannot.
func (s *Scope) replaceable(p Projection) error {
	if s.whole() {
		return nil
	}
	if !s.Since.IsZero() || !s.Until.IsZero() {
		return fmt.Errorf("%w: rows of a span of time are never put in the place of live ones, "+
			"which come from events before and after it", ErrNoCutOver)
	}
	if _, ok := p.(StreamRows); len(s.Streams) > 0 && !ok {
		return fmt.Errorf("%w: rows of %s can come from several streams, so that those of single streams "+
			"cannot be replaced; replay the business", ErrNoCutOver, p.Name())
	}
	return nil
}

// admits tells whether the event belongs to the part.
func (s *Scope) admits(e *eventstore.Recorded) bool {
	return s == nil ||
		(len(s.Streams) == 0 || slices.Contains(s.Streams, e.Stream)) &&
			(s.Business == "" || eventstore.BusinessOf(e.Metadata) == s.Business) &&
			(s.Since.IsZero() && s.Until.IsZero() || s.spans(s.moment(e)))
}

// moment is when the event was, by the clock that the span of time goes by.
func (s *Scope) moment(e *eventstore.Recorded) time.Time {
	if s.Occurred {
		return eventstore.OccurredAt(e)
	}
	return e.Created
}

func (s *Scope) spans(at time.Time) bool {
	return (s.Since.IsZero() || !at.Before(s.Since)) && (s.Until.IsZero() || at.Before(s.Until))
}

// ends tells whether the log comes to a moment with which the part is complete.
func (s *Scope) ends() bool { return s != nil && !s.Until.IsZero() && !s.Occurred }

// clocks is how much the log's clock may differ from this machine's.
const clocks = 5 * time.Second

// over tells whether a log that has come to this moment has nothing more to add:
// from here on events are recorded later than the part wants them.
func (s *Scope) over(last time.Time, caughtUp bool) bool {
	if !s.ends() {
		return false
	}
	return !last.Before(s.Until) || caughtUp && time.Since(s.Until) > clocks
}

// within is the moment, or the end of the scope where that is before it: tables are
// complete up to there and not beyond.
func (s *Scope) within(at time.Time) time.Time {
	if !s.ends() || at.Before(s.Until) {
		return at
	}
	return s.Until
}

// Concerns tells whether a business may know of the part: it is not another's.
func (s *Scope) Concerns(business string) bool {
	return s.whole() || s.Business == business || s.Business == "" && len(s.Streams) == 0
}
