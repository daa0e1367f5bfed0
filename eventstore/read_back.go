package eventstore

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// ReadAllBack yields the events of the whole log from its end on, the last one
// first, the system's own ($…) among them. The rest is as with ReadStream.
func (c *Client) ReadAllBack(ctx context.Context) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		c.read(ctx, operation{name: "read the log back"}, &backCursor{}, yield)
	}
}

// backCursor goes through the whole log backwards.
type backCursor struct {
	before Position
	begun  bool
}

func (c *backCursor) opener() request[*esdb.ReadStream] {
	options := esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}
	if c.begun {
		options.From = esdb.Position{Commit: c.before.Commit, Prepare: c.before.Prepare}
	}
	return func(ctx context.Context, db *esdb.Client) (*esdb.ReadStream, error) {
		return db.ReadAll(ctx, options, math.MaxInt64)
	}
}

func (c *backCursor) admit(e *Recorded) (bool, error) {
	if c.begun {
		switch order := e.Position.Compare(c.before); {
		case order == 0: // where a resumed read starts
			return false, nil
		case order > 0:
			return false, fmt.Errorf("position %s came after %s in a read backwards", e.Position, c.before)
		}
	}
	c.before, c.begun = e.Position, true
	return true, nil
}
