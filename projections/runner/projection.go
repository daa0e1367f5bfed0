// Package runner keeps the read models up with the log. A projection says which
// tables it wants and how a batch of events changes them; the runner owns the
// rest: reading the log, the transaction and the checkpoint in it, one leader
// among several instances, quarantine of streams that cannot be applied,
// rebuilding beside what is live.
package runner

import (
	"context"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

// Projection turns events into rows. It keeps nothing between two batches but
// what is in its tables, for the next batch may be applied elsewhere.
type Projection interface {
	// Name is the stable name: lower case letters, digits and _.
	Name() string

	// Version is raised with every change of Schema or of what Apply makes of
	// old events. The next version is filled beside the one before.
	Version() int

	// Schema is SQL that creates the tables and indexes, names unqualified.
	// Every table has the columns business_id (text or uuid, NOT NULL), _stream
	// text and _position bigint: whose the row is, and the stream and commit
	// position of the event that it was last changed by. The runner adds the
	// row-level security, and views of the tables' names in schema read. While
	// tables are filled beside the live ones, they have only the indexes of
	// their constraints; the others are made when history has been applied. What
	// an event could violate has to be a constraint, or no event can be blamed.
	Schema() string

	// Types are the names of the events it wants; none means all of the
	// business's events.
	Types() []string

	// Apply brings the tables from the state before the batch to the one after
	// it, within the transaction, whose search path is the build's schema. The
	// batch is in the log's order, and every event in it is understood. Write
	// sets, not a statement an event: fold in memory, then unnest, MERGE or
	// table.Copy.
	//
	// An error that Postgres's absence does not explain is blamed on an event:
	// Apply is called again for parts of the batch until that event is found,
	// and its stream is quarantined. So Apply must not take note of anything
	// outside of the transaction.
	Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error
}

// Sealed is implemented by projections to which personal fields are nothing. They
// get events with these left empty, which saves a replay the keys, and cannot
// show what they were never given.
type Sealed interface{ Sealed() }

// Superseding is implemented by projections that keep the code of the version
// before them. Tables of that version are kept up with the log for as long as
// they are live, while those of the next one are filled; they can be gone back to;
// and their rows can be explained.
type Superseding interface {
	// Before is the version that this one takes the place of, nil where there is
	// none.
	Before() Projection
}

// maxVersions bounds the chain of versions that keep the one before them.
const maxVersions = 20

// earlier are the versions before the projection that it keeps, the newest first.
func earlier(p Projection) (versions []Projection) {
	for range maxVersions {
		newer, ok := p.(Superseding)
		if !ok {
			break
		}
		if p = newer.Before(); p == nil {
			break
		}
		versions = append(versions, p)
	}
	return versions
}

// InVersion is the projection in that version, nil where it does not keep its code.
func InVersion(p Projection, version int) Projection {
	for _, v := range append([]Projection{p}, earlier(p)...) {
		if v.Version() == version {
			return v
		}
	}
	return nil
}

// Source is where events come from.
type Source = eventstore.Source
