package importing

import (
	"context"
	"sync/atomic"

	"portal.example/eventstore"
)

// Counter is a log that counts the events appended through it. A command that
// is recognised as a repeat appends none.
type Counter struct {
	eventstore.Log
	events atomic.Int64
}

// Append counts what the log has taken.
func (c *Counter) Append(
	ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.Proposed,
) (eventstore.Appended, error) {
	appended, err := c.Log.Append(ctx, stream, expected, events...)
	if err == nil {
		c.events.Add(int64(len(events)))
	}
	return appended, err
}

// Events is how many there were.
func (c *Counter) Events() int64 { return c.events.Load() }
