// Package parked says what an operator decided about a message that was parked:
// an event that a reaction could not deal with, and that the log had set aside.
//
//	parked-<id>   ParkedMessageDiscarded
//
// It is so small that its events, state and decision share a file.
package parked

import (
	"time"

	"portal.example/domain"
)

// Category is the category of the streams.
const Category = "parked"

// Stream is that of a message. Its id derives from where the message is parked,
// so that whoever looks at the same one finds the same stream.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to a parked message.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"ParkedMessageDiscarded": Discarded{},
}

// Discarded says that nobody will deal with the message.
type Discarded struct {
	Group     string    `json:"group"`  // that had parked it, or the reaction whose job it was
	Number    uint64    `json:"number"` // in the group's stream of parked messages, or of the job
	EventID   string    `json:"eventId"`
	EventType string    `json:"eventType"`
	Stream    string    `json:"stream"` // of the event
	Revision  uint64    `json:"revision"`
	Reason    string    `json:"reason"` // in the operator's words, in which nobody is named
	By        string    `json:"by"`     // account on the operator's machine
	At        time.Time `json:"at"`
}

func (Discarded) isEvent() {}

// State is what was decided about a message.
type State struct {
	Discarded bool
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch event.(type) {
	case Discarded:
		s.Discarded = true
	}
	return s
}

// MaxReason is how many characters a reason may have.
const MaxReason = 500

// maxName is the same for names.
const maxName = 1000

// Discard gives a message up.
type Discard Discarded

// Decide gives it up, once.
func (c Discard) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.Line("reason", c.Reason, MaxReason)
	check.Line("by", c.By, maxName)
	check.Line("group", c.Group, maxName)
	check.ID("eventId", c.EventID)
	check.Time("at", c.At)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if s.Discarded {
		return nil, nil
	}
	return []Event{Discarded(c)}, nil
}
