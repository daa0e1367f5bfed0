package eventstore

import (
	"context"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// batchCall is a call of BatchAppend: appends go in, their answers come out, in
// any order.
type batchCall struct {
	wire  streams.Streams_BatchAppendClient
	ctx   context.Context // ends with the call
	end   context.CancelFunc
	queue chan queued
	heard bool // an answer; for run, and for whoever has seen it end

	mu      sync.Mutex
	last    int64                                     // correlation id
	waiting map[int64]chan<- *streams.BatchAppendResp // by correlation id
	since   time.Time                                 // something has been asked and no answer has come; zero: nothing
}

// queued is an append that waits to be sent.
type queued struct {
	id      int64
	request *streams.BatchAppendReq
}

// batchQueue is how many appends may wait to be sent without their goroutines
// having to wait for that, too.
const batchQueue = 64

func openBatchCall(life context.Context, server streams.StreamsClient) (*batchCall, error) {
	ctx, end := context.WithCancel(life)
	wire, err := server.BatchAppend(ctx)
	if err != nil {
		end()
		return nil, err
	}
	return &batchCall{
		wire: wire, ctx: ctx, end: end,
		queue:   make(chan queued, batchQueue),
		waiting: map[int64]chan<- *streams.BatchAppendResp{},
	}, nil
}

// run passes on what comes until the call breaks.
func (c *batchCall) run() error {
	defer c.end()
	go c.send()
	for {
		answer, err := c.wire.Recv()
		if err != nil {
			return err
		}
		c.heard = true
		if to := c.answered(correlationOf(answer)); to != nil {
			to <- answer // has room for it
		}
	}
}

// send leaves out what nobody waits for any more: it has been said another way, or
// its caller has been told that it failed.
func (c *batchCall) send() {
	defer c.end()
	for {
		select {
		case next := <-c.queue:
			if !c.expected(next.id) {
				continue
			}
			if err := c.wire.Send(next.request); err != nil {
				return // run hears why
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// append returns nil where no answer has come.
func (c *batchCall) append(ctx context.Context, request *streams.BatchAppendReq) *streams.BatchAppendResp {
	answer := make(chan *streams.BatchAppendResp, 1)
	id := c.expect(answer)
	defer c.forget(id)
	request.CorrelationId = correlation(id)
	select {
	case c.queue <- queued{id, request}:
	case <-c.ctx.Done():
		return nil
	case <-ctx.Done():
		return nil
	}
	select {
	case a := <-answer:
		return a
	case <-c.ctx.Done():
		return nil
	case <-ctx.Done():
		return nil
	}
}

func (c *batchCall) expect(answer chan<- *streams.BatchAppendResp) (id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		c.since = time.Now()
	}
	c.last++
	c.waiting[c.last] = answer
	return c.last
}

func (c *batchCall) expected(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, waiting := c.waiting[id]
	return waiting
}

// answered returns who waits for the answer, nil where nobody does.
func (c *batchCall) answered(id int64) chan<- *streams.BatchAppendResp {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting[id]
	delete(c.waiting, id)
	c.since = time.Time{}
	if len(c.waiting) > 0 {
		c.since = time.Now()
	}
	return waiting
}

// forget leaves since as it is: an append that was given up shows a silence, too.
func (c *batchCall) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// silence is how long answers have been due without any.
func (c *batchCall) silence() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return 0
	}
	return time.Since(c.since)
}
