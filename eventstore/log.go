// Package eventstore is the only door to the event log: an EventStoreDB
// cluster, or the embedded node of package node, reached by the same client
// through a connection string.
//
// It knows streams, revisions, positions and bytes. What the bytes mean is the
// business of package domain, which this package never imports: event types
// reach the codec by registration.
package eventstore

import (
	"time"

	"github.com/google/uuid"
)

// RestoresStream has an event for each time that the log was restored from a backup,
// in the place where it went its own way from then on. Positions after that one may
// have been other events' before. The embedded node's restore writes it.
const RestoresStream = "$restores"

// Proposed is an event that is about to be appended. Its ID is what makes a
// repeated append recognisable, so it is derived from the command, never made
// up at the moment of sending.
type Proposed struct {
	ID       uuid.UUID
	Type     string // stable name, part of the storage format
	Data     []byte // JSON, unless Binary
	Metadata []byte // JSON, see Metadata
	Binary   bool
}

// Recorded is an event as the log holds it.
type Recorded struct {
	Stream   string
	Revision uint64 // place in the stream, from 0
	// Position is zero where the log does not tell, which happens to events read
	// from a stream: EventStoreDB tells it since version 22.6, and not of events that
	// were appended in an explicit transaction.
	Position Position
	ID       uuid.UUID
	Type     string
	Created  time.Time // when the log took it, UTC
	Data     []byte
	Metadata []byte
}

// Appended is the log's answer to an append, the same for a repeat as for the
// first one.
type Appended struct {
	Revision uint64   // revision of the last event appended
	Position Position // position of the last event appended
}

// Expected is what an append demands of its stream. The zero value is NoStream,
// the strictest demand, so that a forgotten field cannot overwrite history.
type Expected struct {
	kind     expectation
	revision uint64
}

type expectation uint8

const (
	expectNoStream expectation = iota
	expectAny
	expectExists
	expectExact
)

// NoStream demands that the stream does not exist yet.
func NoStream() Expected { return Expected{kind: expectNoStream} }

// Any demands nothing. Repeats of such an append are recognised by the log on
// a best-effort basis only.
func Any() Expected { return Expected{kind: expectAny} }

// StreamExists demands that the stream exists, at whatever revision.
func StreamExists() Expected { return Expected{kind: expectExists} }

// Exactly demands that the last event of the stream has this revision.
func Exactly(revision uint64) Expected {
	return Expected{kind: expectExact, revision: revision}
}
