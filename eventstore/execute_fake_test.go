package eventstore_test

import (
	"context"
	"iter"
	"slices"
	"sync"

	"portal.example/eventstore"
)

// memoryLog is the log as Execute needs it: expected revisions, and EventStoreDB's
// way of recognising a repeat by its event ids alone. It can be told to fail.
type memoryLog struct {
	mu       sync.Mutex
	streams  map[string][]eventstore.Recorded
	position uint64
	reads    int
	appends  int

	// fault, where set, is asked before every append. It is called without the
	// lock held, so that it can let somebody else in first.
	fault func(stream string) fault
}

type fault int

const (
	none       fault = iota
	lostBefore       // the request never arrives
	lostAfter        // the answer never arrives
)

func newMemoryLog() *memoryLog {
	return &memoryLog{streams: make(map[string][]eventstore.Recorded)}
}

func (l *memoryLog) Append(
	ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.Proposed,
) (eventstore.Appended, error) {
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, err
	}
	f := none
	if l.fault != nil {
		f = l.fault(stream)
	}
	if f == lostBefore {
		return eventstore.Appended{}, eventstore.ErrUnavailable
	}
	appended, err := l.append(stream, expected, events)
	if f == lostAfter {
		return eventstore.Appended{}, eventstore.ErrUnavailable
	}
	return appended, err
}

func (l *memoryLog) append(
	stream string, expected eventstore.Expected, events []eventstore.Proposed,
) (eventstore.Appended, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appends++
	held := l.streams[stream]
	from := l.expectedLength(expected, len(held))
	if from != len(held) {
		if !l.holds(held, from, events) {
			return eventstore.Appended{}, eventstore.ErrWrongExpected
		}
		last := held[from+len(events)-1]
		return eventstore.Appended{Revision: last.Revision, Position: last.Position}, nil
	}
	for i, e := range events {
		l.position += 100
		held = append(held, eventstore.Recorded{
			Stream: stream, Revision: uint64(from + i), Position: eventstore.Position{Commit: l.position, Prepare: l.position},
			ID: e.ID, Type: e.Type, Data: slices.Clone(e.Data), Metadata: slices.Clone(e.Metadata),
		})
	}
	l.streams[stream] = held
	last := held[len(held)-1]
	return eventstore.Appended{Revision: last.Revision, Position: last.Position}, nil
}

// expectedLength finds the length that is expected by comparison, since what an
// Expected holds is the package's own.
func (l *memoryLog) expectedLength(expected eventstore.Expected, now int) int {
	for n := now; n > 0; n-- {
		if expected == eventstore.Exactly(uint64(n-1)) {
			return n
		}
	}
	if expected == eventstore.NoStream() {
		return 0
	}
	return -1
}

func (l *memoryLog) holds(held []eventstore.Recorded, from int, events []eventstore.Proposed) bool {
	if from < 0 || from+len(events) > len(held) {
		return false
	}
	for i, e := range events {
		if held[from+i].ID != e.ID {
			return false
		}
	}
	return true
}

func (l *memoryLog) ReadStream(
	ctx context.Context, stream string, from uint64,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		l.mu.Lock()
		l.reads++
		held := slices.Clone(l.streams[stream])
		l.mu.Unlock()
		if len(held) == 0 {
			yield(eventstore.Recorded{}, eventstore.ErrStreamNotFound)
			return
		}
		for _, r := range held[min(from, uint64(len(held))):] {
			if err := ctx.Err(); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *memoryLog) Head(context.Context) (eventstore.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return eventstore.Position{Commit: l.position, Prepare: l.position}, nil
}

// events are the types of a stream's events.
func (l *memoryLog) events(stream string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, r := range l.streams[stream] {
		names = append(names, r.Type)
	}
	return names
}

func (l *memoryLog) counts() (reads, appends int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads, l.appends
}
