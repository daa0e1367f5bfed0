package runner

import (
	"context"
	"time"

	"portal.example/internal/wait"
)

// Requests are those that the program serves.
type Requests interface {
	Busy() bool               // whether any came lately
	Lull(ctx context.Context) // returns once none is being answered, or ctx ends
}

// courtesy has builds that are being filled give way to requests. While there are
// any, one build at a time reads or writes, in small bites, each begun while none is
// being answered, and rests for longer than it has worked: a request then finds
// processors and a disk that are free, or soon will be. A machine with nothing else
// to do fills as fast as it can. nil gives way to nobody.
type courtesy struct {
	requests Requests
	turn     chan struct{} // who works holds its one place
}

const (
	// bite is how many events make a batch meanwhile. So few are decoded by one
	// processor, and applied within a few milliseconds.
	bite = 100

	// rest is how many times as long it rests as it has worked. That decides how many
	// requests meet a bite at all (docs/decisions/0022).
	rest = 8

	// longestRest bounds what one slow batch costs.
	longestRest = 250 * time.Millisecond

	// longestLull bounds the wait for a lull, which never comes where requests follow
	// closely, or one waits itself.
	longestLull = 10 * time.Millisecond
)

func newCourtesy(requests Requests) *courtesy {
	if requests == nil {
		return nil
	}
	return &courtesy{requests: requests, turn: make(chan struct{}, 1)}
}

// givesWay tells whether to.
func (c *courtesy) givesWay() bool { return c != nil && c.requests.Busy() }

// work calls do, in turn and with a rest after it where that is called for. It
// returns do's error, or that of a ctx which ended before it was called.
func (c *courtesy) work(ctx context.Context, do func() error) error {
	if !c.givesWay() {
		return do()
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	lull, over := context.WithTimeout(ctx, longestLull)
	c.requests.Lull(lull)
	over()
	began := time.Now()
	err := do()
	wait.For(ctx, min(rest*time.Since(began), longestRest))
	return err
}
