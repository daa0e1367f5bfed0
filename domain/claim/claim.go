// Package claim gives a name to one owner: a slug, later a domain or a login.
//
// A name is taken by being the first to append to its stream, which needs no
// table and holds in the log itself. The stream's name is a hash, so that a
// login's address does not stand in the clear:
//
//	claim-<hash>   ClaimTaken
//
// A claim is so small that its events, state and decision share a file.
package claim

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"portal.example/domain"
)

// Kind is the sort of a name. The same text can be claimed once for each kind.
type Kind string

// Slug is a business's name in the addresses of its pages.
const Slug Kind = "slug"

// Category is the category of the streams.
const Category = "claim"

// Stream is the stream that decides who has the name.
func Stream(kind Kind, name string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + name))
	return Category + "-" + hex.EncodeToString(sum[:16])
}

// Event is something that happened to a claim.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"ClaimTaken": Taken{},
}

// Taken says that the name has an owner.
type Taken struct {
	Kind  Kind      `json:"kind"`
	Owner string    `json:"owner"` // id of the record that has the name
	At    time.Time `json:"at"`
}

func (Taken) isEvent() {}

// State is who has a name; the zero State is nobody.
type State struct {
	Owner string
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Taken:
		s.Owner = e.Owner
	}
	return s
}

// ErrTaken refuses a name that somebody else has.
var ErrTaken = &domain.Error{Kind: domain.Conflict, Code: "name_taken", Message: "the name is taken"}

// Take claims the name for an owner.
type Take struct {
	Kind  Kind
	Owner string
	At    time.Time
}

// Decide takes the name, once.
func (c Take) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.ID("owner", c.Owner)
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch s.Owner {
	case c.Owner:
		return nil, nil
	case "":
		return []Event{Taken(c)}, nil
	}
	return nil, ErrTaken
}
