package eventstore

import (
	"context"
	"sync"
)

// maxQueuedBytes bounds a queue of large events below its number of notices.
const maxQueuedBytes = 32 << 20

// queue hands notices from the goroutine that receives them to the one that
// uses them, as many at once as have gathered: one when the consumer waits,
// thousands when it lags behind. There is one goroutine at either end.
type queue struct {
	limit int // notices

	mu      sync.Mutex
	notices []Notice
	bytes   int
	err     error // why no more will come

	filled  chan struct{} // a token for the consumer that found it empty
	drained chan struct{} // a token for the producer that found it full
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// put adds a notice, once there is room for it. It fails when ctx ends or the
// queue is closed.
func (q *queue) put(ctx context.Context, n Notice) error {
	for {
		if done, err := q.tryPut(n); done {
			return err
		}
		select {
		case <-q.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) tryPut(n Notice) (done bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return true, q.err
	}
	if len(q.notices) >= q.limit || q.bytes >= maxQueuedBytes {
		return false, nil
	}
	q.notices = append(q.notices, n)
	q.bytes += n.size()
	if len(q.notices) == 1 {
		signal(q.filled)
	}
	return true, nil
}

// close lets the consumer have what is left, and then err. Only the first call
// counts.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
		signal(q.filled)
		signal(q.drained)
	}
}

// take waits for a notice and returns all that are there, but no more than
// limit. When ctx is over it takes nothing.
func (q *queue) take(ctx context.Context, limit int) ([]Notice, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if taken, err := q.tryTake(limit); len(taken) > 0 || err != nil {
			return taken, err
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
		}
	}
}

func (q *queue) tryTake(limit int) ([]Notice, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(limit, len(q.notices))
	if n == 0 {
		return nil, q.err
	}
	taken := q.notices[:n:n]
	q.notices = q.notices[n:]
	if len(q.notices) == 0 {
		q.notices = make([]Notice, 0, n) // the next batch is likely to be as long
		q.bytes = 0
	} else {
		for i := range taken {
			q.bytes -= taken[i].size()
		}
	}
	signal(q.drained)
	return taken, nil
}

func signal(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default: // there is one already
	}
}
