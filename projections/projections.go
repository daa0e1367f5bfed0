// Package projections is the room of the read models: a folder each, with its
// SQL and how events change it. Package runner keeps them up with the log,
// package table has what they do alike; package dashboards asks them for
// figures and keeps none of its own.
package projections

import (
	"context"

	"portal.example/eventstore"
)

// Waiter waits until the live tables of a projection contain what the log has
// up to the position, as long as ctx lasts, whose error it returns.
type Waiter interface {
	WaitFor(ctx context.Context, projection string, position eventstore.Position) error
}

// Table is a table of a read model that is read as it is.
type Table struct {
	Projection string
	Name       string
	Key        []Column // the primary key
}

// Column is a column with its type as Postgres writes it.
type Column struct{ Name, Type string }
