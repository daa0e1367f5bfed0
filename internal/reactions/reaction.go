// Package reactions is what runs everything that the portal does by itself when
// something has happened: mail, timers, payments.
//
// A reaction is a wake-up. The log tells it that an event of some type has been
// appended, at least once, and to one instance of the portal at a time; it then
// reloads what the event is about and decides on the present state. Watermill's
// router brings the wake-ups, each reaction in a group of its own
// (a persistent subscription), so that one that fails is no other's business.
// What has to wait, or to be tried for hours, is a job in Postgres (River).
//
// Imported events wake nobody, nor does rebuilding a read model, nor the history
// from before a reaction was first there: its group begins at the end of the log.
package reactions

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// Reaction is one thing that the portal does by itself.
type Reaction struct {
	// Name is storage: the group in the log and the queue of jobs are called so.
	Name string
	// Event is the type of the events that wake it.
	Event string
	// Due reloads what the event is about and says when to act: not before that
	// moment, as a job that is tried again for days where it fails. The zero time
	// says that there is nothing to do. Without Due, Act is called at once and tried
	// again twice within a moment; what still fails is a job from then on.
	Due func(context.Context, Event) (time.Time, error)
	// Act reloads what the event is about and does what there is to do now. It can
	// be called more than once for an event, and gives what it does an id that
	// derives from the event's. Both mind their context, which ends after two seconds
	// where they are woken, and after a minute in a job.
	Act func(context.Context, Event) error
}

// Event is which event it was that woke a reaction. What it says is left out:
// by now there may be more to know. It is stored with jobs, and nothing in it is
// personal.
type Event struct {
	ID            uuid.UUID `json:"id"`
	Type          string    `json:"type"`
	Stream        string    `json:"stream"`
	Revision      uint64    `json:"revision"`
	Business      string    `json:"business"`
	CorrelationID uuid.UUID `json:"correlationId"`
}

// name is what River takes for the name of a queue, and what reads well as the
// name of a group.
var name = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (r Reaction) check() error {
	switch {
	case !name.MatchString(r.Name) || len(r.Name) > 64:
		return fmt.Errorf("reactions: name %q: must be words of small letters and digits, joined by dashes", r.Name)
	case r.Event == "":
		return fmt.Errorf("reactions: %s: event: missing", r.Name)
	case r.Act == nil:
		return fmt.Errorf("reactions: %s: act: missing", r.Name)
	}
	return nil
}

// byName is the reactions, each of which must be well formed and have a name of
// its own.
func byName(list []Reaction) (map[string]Reaction, error) {
	named := make(map[string]Reaction, len(list))
	var problems []error
	for _, r := range list {
		if _, twice := named[r.Name]; twice {
			problems = append(problems, fmt.Errorf("reactions: name %q: two reactions have it", r.Name))
		}
		problems = append(problems, r.check())
		named[r.Name] = r
	}
	return named, errors.Join(problems...)
}
