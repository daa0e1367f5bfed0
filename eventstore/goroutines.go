package eventstore

import (
	"context"
	"sync/atomic"
)

// maxSpare bounds the goroutines that are kept for later.
const maxSpare = 64

// goroutines runs functions in goroutines of their own and keeps some of these
// for the next ones: a fresh goroutine would grow its stack anew for every call
// of gRPC, which costs a tenth of an append.
type goroutines struct {
	life  context.Context
	work  chan func()
	spare atomic.Int32
}

func newGoroutines(life context.Context) *goroutines {
	return &goroutines{life: life, work: make(chan func())}
}

// run returns at once.
func (g *goroutines) run(f func()) {
	select {
	case g.work <- f:
	default:
		go g.serve(f)
	}
}

func (g *goroutines) serve(f func()) {
	for {
		f()
		f = nil // and all that it holds
		if g.spare.Add(1) > maxSpare {
			g.spare.Add(-1)
			return
		}
		select {
		case f = <-g.work:
			g.spare.Add(-1)
		case <-g.life.Done():
			return
		}
	}
}
