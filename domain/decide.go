package domain

import (
	"fmt"
	"strconv"
)

// Decider is a command: it turns the state of a record into the events that
// follow, none if there is nothing new to say, or a refusal.
type Decider[S, E any] interface {
	Decide(S) ([]E, error)
}

// Folded is a state that events fold into.
type Folded[S, E any] interface {
	Evolve(E) S
}

// Fold is the state after the events.
func Fold[S Folded[S, E], E any](s S, events ...E) S {
	for _, e := range events {
		s = s.Evolve(e)
	}
	return s
}

// Versioned is the state of a document that counts its own versions: the
// number in its ETag. Views, deliveries and other facts about a document leave
// its version alone. A document that does not exist has version 0.
type Versioned interface {
	DocumentVersion() int
}

// ErrVersion refuses a command whose sender has seen another version of the
// document than the present one.
var ErrVersion = &Error{Kind: Precondition, Code: "version_mismatch", Message: "the document has changed since it was read"}

// VersionMismatch are the details of ErrVersion.
type VersionMismatch struct {
	Expected int `json:"expected"`
	Current  int `json:"current"`
}

// IfMatch is the command, refused unless the document is at the version that
// its sender has seen.
func IfMatch[S Versioned, E any](version int, then Decider[S, E]) Decider[S, E] {
	return ifMatch[S, E]{version: version, then: then}
}

type ifMatch[S Versioned, E any] struct {
	version int
	then    Decider[S, E]
}

func (c ifMatch[S, E]) Decide(s S) ([]E, error) {
	current := s.DocumentVersion()
	if current != 0 && current != c.version {
		refusal := ErrVersion.With(VersionMismatch{Expected: c.version, Current: current})
		refusal.Args = map[string]string{"expected": strconv.Itoa(c.version), "current": strconv.Itoa(current)}
		refusal.Message = fmt.Sprintf("the document is at version %d, not %d", current, c.version)
		return nil, refusal
	}
	return c.then.Decide(s) // which knows best how to say that there is no document
}
