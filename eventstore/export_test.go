package eventstore

import "context"

// AppendTogether is the short cut of Append without the way that it cuts short.
func (c *Client) AppendTogether(ctx context.Context, stream string, expected Expected, events ...Proposed) (Appended, bool) {
	return c.batches.append(ctx, stream, expected, events)
}
