package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errSilent: the log did not answer within Config.Timeout, or what the context left of it.
var errSilent = errors.New("no answer")

// request is one call of the esdb client that is answered once.
type request[T any] func(context.Context, *esdb.Client) (T, error)

// call makes a request until it is answered, refused, or out of time.
func call[T any](ctx context.Context, c *Client, op operation, do request[T]) (T, error) {
	joined, leave := c.join(ctx)
	defer leave()
	bounded, release := c.bound(joined)
	defer release()

	var last error
	for try := 0; ; try++ {
		answer, err := attempt(bounded, c, do)
		if err == nil {
			return answer, nil
		}
		if !passing(err) {
			return answer, op.refused(err)
		}
		// Being cut off by the context teaches nothing about the log.
		if last == nil || bounded.Err() == nil {
			last = err
		}
		if bounded.Err() != nil || !c.backoff.pause(bounded, try) {
			return answer, c.gaveUp(ctx, op, last)
		}
	}
}

type answer[T any] struct {
	value T
	err   error
}

// attempt makes a request once. The esdb client may sit on it beyond its
// context, so it runs in a goroutine that is left behind when time is up.
func attempt[T any](ctx context.Context, c *Client, do request[T]) (T, error) {
	var none T
	link, err := c.links.acquire(ctx)
	if err != nil {
		return none, err
	}
	start := time.Now()
	tryCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answers := make(chan answer[T], 1)
	c.spare.run(func() {
		defer c.links.release(link)
		answers <- shielded(tryCtx, link.db, do)
	})

	var got answer[T]
	select {
	case got = <-answers:
	case <-tryCtx.Done():
		got.err = tryCtx.Err()
	}
	if got.err == nil {
		return got.value, nil
	}
	// The server knows the deadline, too, and may be the first to say so.
	late := errors.Is(tryCtx.Err(), context.DeadlineExceeded) || status.Code(got.err) == codes.DeadlineExceeded
	// A caller in a hurry proves nothing, but after a long silence the next try
	// had better take another connection.
	if connectionLost(got.err) || late && time.Since(start) > c.timeout/2 {
		c.links.drop(link)
	}
	if late {
		got.err = errSilent
	}
	return none, got.err
}

// shielded makes the request and turns a panic into its error: one of the esdb
// client's own, which a server can provoke, or the one that listen raises. No
// call of the esdb client is made without it.
func shielded[T any](ctx context.Context, db *esdb.Client, do request[T]) (got answer[T]) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case lostConnection:
			got.err = p.err
		default:
			got.err = fmt.Errorf("the esdb client panicked at the answer: %v", p)
		}
	}()
	value, err := do(ctx, db)
	return answer[T]{value, err}
}
