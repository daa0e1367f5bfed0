package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

// ErrKeyReused is returned for a command whose Idempotency-Key has already
// served another request on the same stream.
var ErrKeyReused = errors.New("idempotency key already used for another request")

// Log is what Execute needs of the event log; Client is one.
type Log interface {
	Append(ctx context.Context, stream string, expected Expected, events ...Proposed) (Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]
	Head(ctx context.Context) (Position, error)
}

// State is what the events of a stream fold into, beginning with the zero
// value. Evolve never fails: what is in the log has happened. States are shared
// by the cache and by callers, so Evolve returns a new one and never writes to
// a map or slice that the old one can reach.
type State[S, E any] interface {
	Evolve(event E) S
}

// Command decides what its coming true means in a state: events, nothing new,
// or a refusal. Decide is pure, for it may be asked several times; the clock
// and the ids it needs came in with the command.
type Command[S, E any] interface {
	Decide(state S) ([]E, error)
}

// Category is all streams of one kind: those whose names begin with the
// category, and whose events E fold into S. It may be used by several
// goroutines at once.
type Category[S State[S, E], E any] struct {
	name  string
	log   Log
	codec *Codec
	cache *lru.Cache[string, *history[S]]
	turns turns
}

// NewCategory makes a category that keeps the folded state of the streams used
// last, at most cached of them. The name has no dash, since EventStoreDB ends
// it there.
func NewCategory[S State[S, E], E any](name string, log Log, codec *Codec, cached int) (*Category[S, E], error) {
	if name == "" || strings.ContainsAny(name, "-$") {
		return nil, fmt.Errorf("eventstore: %q cannot be a category", name)
	}
	cache, err := lru.New[string, *history[S]](cached)
	if err != nil {
		return nil, fmt.Errorf("eventstore: category %s: %w", name, err)
	}
	return &Category[S, E]{name: name, log: log, codec: codec, cache: cache}, nil
}

// Stream is the name of the category's stream with this id.
func (c *Category[S, E]) Stream(id string) string { return c.name + "-" + id }

// Result is the answer to a command. A repeat gets the one that the first got.
type Result[S, E any] struct {
	CommandID uuid.UUID
	Stream    string
	State     S           // just after the command
	Events    []E         // what it recorded; none means that it said nothing new
	EventIDs  []uuid.UUID // of Events

	// First and Last are the revisions of Events, and Position that of the last
	// of them in the log. Where nothing was new they are those of the last
	// event of the stream, and zero where there is no stream. Where the log does not
	// tell an event's position, Position is a later one.
	First, Last uint64
	Position    Position
}

// NothingNew tells that the command changed nothing, since what it asks for was
// so already.
func (r Result[S, E]) NothingNew() bool { return len(r.Events) == 0 }

// maxAttempts bounds how often a command is decided. Within a process commands
// on a stream wait for one another, so that conflicts are with other instances;
// one that is always a little faster can win many times in a row.
const maxAttempts = 25

// Execute brings a command to a stream: it folds the events, lets the command
// decide, and appends at the revision it has read; after a conflict it reads on
// and decides again. A refusal, or nothing new, is never said on a state from
// the cache without reading on first. What the command refuses is returned as the command's own error.
//
// A repeat, recognised by the command's id among the stream's own events, is
// answered from them without deciding anything: ErrKeyReused if its fingerprint
// differs, else what the first was answered. Refusals and commands that said
// nothing new leave no event and so bind nothing. A second step of one request
// on the same stream is a command of its own, with an id such as
// NewID(first, "capture").
//
// ErrUnavailable means that it is not known whether the events were taken;
// repeating the command under the same id is always safe.
func (c *Category[S, E]) Execute(ctx context.Context, stream string, m Metadata, cmd Command[S, E]) (Result[S, E], error) {
	ctx, span := traceCommand(ctx, c.name, m)
	result, err := c.execute(ctx, stream, m, cmd)
	endSpan(span, err)
	return result, err
}

func (c *Category[S, E]) execute(ctx context.Context, stream string, m Metadata, cmd Command[S, E]) (Result[S, E], error) {
	if id, ours := strings.CutPrefix(stream, c.name+"-"); !ours || id == "" {
		return Result[S, E]{}, fmt.Errorf("eventstore: stream %q is not of category %s", stream, c.name)
	}
	m, err := m.complete()
	if err != nil {
		return Result[S, E]{}, err
	}
	done, err := c.turns.take(ctx, stream)
	if err != nil {
		return Result[S, E]{}, fmt.Errorf("eventstore: waiting for stream %s: %w", stream, err)
	}
	defer done()

	h, current := c.cache.Get(stream)
	if !current {
		h = newHistory[S]()
	}
	var conflict error
	for range maxAttempts {
		if !current {
			if h, err = c.refresh(ctx, stream, h, conflict != nil); err != nil {
				return Result[S, E]{}, err
			}
		}
		if fingerprint, repeated := h.commands[m.CommandID]; repeated {
			if fingerprint != m.Fingerprint {
				return Result[S, E]{}, fmt.Errorf("eventstore: %s on %s: %w", m.Operation, stream, ErrKeyReused)
			}
			return c.firstAnswer(ctx, stream, m.CommandID)
		}
		events, err := cmd.Decide(h.state)
		if nothing := err != nil || len(events) == 0; nothing && current {
			current = false // perhaps only for want of another instance's events
			continue
		}
		if err != nil {
			return Result[S, E]{}, err
		}
		if len(events) == 0 {
			return c.nothingNew(ctx, stream, m.CommandID, h)
		}
		result, err := c.record(ctx, stream, h, m, events)
		if !errors.Is(err, ErrWrongExpected) {
			return result, err
		}
		conflict, current = err, false
	}
	return Result[S, E]{}, fmt.Errorf("eventstore: %s on %s: gave up after %d attempts: %w",
		m.Operation, stream, maxAttempts, conflict)
}
