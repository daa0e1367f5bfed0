package eventstore

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in the whole log ($all). Positions only rise; they are
// not counts, and the gap between two of them has no meaning.
type Position struct {
	Commit  uint64
	Prepare uint64
}

// Start is the position before the first event: reading or subscribing from it
// yields everything.
func Start() Position { return Position{} }

// Compare orders positions as the log does.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Commit, q.Commit); c != 0 {
		return c
	}
	return cmp.Compare(p.Prepare, q.Prepare)
}

// String is the opaque form that travels in headers; ParsePosition reads it.
func (p Position) String() string {
	if p.Commit == p.Prepare {
		return strconv.FormatUint(p.Commit, 36)
	}
	return strconv.FormatUint(p.Commit, 36) + "." + strconv.FormatUint(p.Prepare, 36)
}

// ParsePosition reads what Position.String wrote.
func ParsePosition(s string) (Position, error) {
	commit, prepare, split := strings.Cut(s, ".")
	c, err := strconv.ParseUint(commit, 36, 64)
	if err != nil {
		return Position{}, fmt.Errorf("eventstore: %q is no position", s)
	}
	if !split {
		return Position{Commit: c, Prepare: c}, nil
	}
	p, err := strconv.ParseUint(prepare, 36, 64)
	if err != nil || p > c {
		return Position{}, fmt.Errorf("eventstore: %q is no position", s)
	}
	return Position{Commit: c, Prepare: p}, nil
}
