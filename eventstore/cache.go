package eventstore

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// history is a stream folded up to some revision. It is touched only by whoever
// has the stream's turn.
type history[S any] struct {
	state    S
	next     uint64 // revision of the next event; 0 where there is no stream
	position Position

	// commands are all those that left an event in the stream, however long
	// ago: a key is never forgotten. An entry takes 32 bytes, and the map's own.
	commands map[uuid.UUID]Fingerprint
}

func newHistory[S any]() *history[S] {
	return &history[S]{commands: make(map[uuid.UUID]Fingerprint)}
}

func (h *history[S]) expected() Expected {
	if h.next == 0 {
		return NoStream()
	}
	return Exactly(h.next - 1)
}

// saw takes note of an event's envelope.
func (h *history[S]) saw(d Decoded) {
	h.next = d.Record.Revision + 1
	h.position = d.Record.Position
	h.commands[d.Metadata.CommandID] = d.Metadata.Fingerprint
}

// foresee shows events as the log will hold them if it takes them.
func (h *history[S]) foresee(stream string, proposed []Proposed) []Recorded {
	recorded := make([]Recorded, len(proposed))
	for i, p := range proposed {
		recorded[i] = Recorded{
			Stream: stream, Revision: h.next + uint64(i),
			ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata,
		}
	}
	return recorded
}

// appended takes note of a command's events once the log has them.
func (h *history[S]) appended(state S, m Metadata, a Appended) {
	h.state, h.next, h.position = state, a.Revision+1, a.Position
	h.commands[m.CommandID] = m.Fingerprint
}

// turns lets one goroutine at a time work on a stream. A stream that nobody
// works on takes no memory.
type turns struct {
	mu    sync.Mutex
	lines map[string]*line
}

type line struct {
	turn  chan struct{} // holds a token while somebody has the turn
	users int           // with the turn or waiting for it
}

// take waits for the turn on a stream; done passes it on.
func (t *turns) take(ctx context.Context, stream string) (done func(), err error) {
	l := t.join(stream)
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; t.leave(stream, l) }, nil
	case <-ctx.Done():
		t.leave(stream, l)
		return nil, ctx.Err()
	}
}

func (t *turns) join(stream string) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[stream]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		if t.lines == nil {
			t.lines = make(map[string]*line)
		}
		t.lines[stream] = l
	}
	l.users++
	return l
}

func (t *turns) leave(stream string, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.lines, stream)
	}
}
