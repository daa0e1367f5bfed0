package eventstore

import (
	"context"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// batchCall is a call of BatchAppend: appends go in, their answers come out, in
// any order.
type batchCall struct {
	wire  streams.Streams_BatchAppendClient
	ctx   context.Context // ends with the call
	end   context.CancelFunc
	queue chan *streams.BatchAppendReq
	heard bool // an answer; for run, and for whoever has seen it end

	mu      sync.Mutex
	last    int64                                     // correlation id
	waiting map[int64]chan<- *streams.BatchAppendResp // by correlation id
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
		queue:   make(chan *streams.BatchAppendReq, batchQueue),
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
		if to := c.forget(correlationOf(answer)); to != nil {
			to <- answer // has room for it
		}
	}
}

func (c *batchCall) send() {
	defer c.end()
	for {
		select {
		case request := <-c.queue:
			if err := c.wire.Send(request); err != nil {
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
	case c.queue <- request:
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
	c.last++
	c.waiting[c.last] = answer
	return c.last
}

func (c *batchCall) forget(id int64) chan<- *streams.BatchAppendResp {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting[id]
	delete(c.waiting, id)
	return waiting
}
