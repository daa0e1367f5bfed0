package importing

import (
	"context"
	"sync/atomic"

	"portal.example/eventstore"
)

// counter is a log that counts the events appended through it. A command that
// is recognised as a repeat appends none.
type counter struct {
	eventstore.Log
	events atomic.Int64
}

// Append counts what the log has taken.
func (c *counter) Append(
	ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.Proposed,
) (eventstore.Appended, error) {
	appended, err := c.Log.Append(ctx, stream, expected, events...)
	if err == nil {
		c.events.Add(int64(len(events)))
	}
	return appended, err
}
