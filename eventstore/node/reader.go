package node

import (
	"bytes"
	"context"
	"errors"
	"math"

	"portal.example/eventstore"
	"portal.example/eventstore/node/journal"
)

// Reader follows the node's log from within its process. It delivers what a
// subscription of a client delivers, without the network in between, which
// costs a replay as much as everything else does.
type Reader struct {
	node   *Node
	admits func(stream, eventType []byte) bool
	err    error // of a filter that makes no sense

	after uint64 // everything up to this position has been dealt with
	live  bool
}

// Follow starts reading after options.From. Buffer and CheckpointEvery have no
// meaning here: nothing is read ahead, and each batch that found nothing ends
// with a checkpoint.
func (n *Node) Follow(options eventstore.SubscribeOptions) *Reader {
	r := &Reader{node: n, after: min(options.From.Commit, math.MaxUint64-1)} // so that there is a next one
	r.admits, r.err = options.Filter.Matcher()
	return r
}

// NextBatch waits until there is something to tell and returns at most limit
// notices. It is for one goroutine.
func (r *Reader) NextBatch(ctx context.Context, limit int) ([]eventstore.Notice, error) {
	if r.err != nil {
		return nil, r.err
	}
	for {
		notices, err := r.read(ctx, limit)
		if err != nil {
			return nil, r.fail(err)
		}
		if len(notices) > 0 {
			return notices, nil
		}
		if err := r.node.journal.Wait(ctx, r.after); err != nil {
			return nil, r.fail(err)
		}
	}
}

// maxBatchBytes bounds a batch of large events.
const maxBatchBytes = 32 << 20

// read returns what the log has by now. What it has come by when something goes
// wrong is returned first; the error shows at the next call.
func (r *Reader) read(ctx context.Context, limit int) ([]eventstore.Notice, error) {
	var notices []eventstore.Notice
	for size := 0; len(notices) < max(limit, 1) && size < maxBatchBytes; {
		page, err := r.node.journal.Forwards(ctx, r.after+1, journal.Limit{
			Records: uint64(max(limit, 1) - len(notices)), Bytes: maxPageBytes,
		})
		if err != nil && len(notices) > 0 {
			return notices, nil
		}
		if err != nil {
			return nil, err
		}
		notices = append(notices, r.choose(page)...)
		size += page.Bytes
		if page.End {
			return r.atEnd(notices, len(page.Records) > 0), nil
		}
	}
	return notices, nil
}

// choose returns the events of a page that pass the filter. A page's bytes stay
// in memory as long as one of its events does, so that few events out of many
// are copied.
func (r *Reader) choose(page journal.Page) []eventstore.Notice {
	var chosen []eventstore.Notice
	for i := range page.Records {
		record := &page.Records[i]
		r.after = record.Position
		if r.admits(record.Stream, record.Type) {
			chosen = append(chosen, eventstore.Notice{
				Kind: eventstore.EventAppeared, Event: recorded(record), Position: at(record.Position),
			})
		}
	}
	if len(chosen) < len(page.Records)/2 {
		for i := range chosen {
			e := &chosen[i].Event
			e.Data, e.Metadata = bytes.Clone(e.Data), bytes.Clone(e.Metadata)
		}
	}
	return chosen
}

// atEnd adds what is to be said at the end of the log: how far the reader has
// come, where no event says so, and that history is over.
func (r *Reader) atEnd(notices []eventstore.Notice, moved bool) []eventstore.Notice {
	if moved && (len(notices) == 0 || notices[len(notices)-1].Position != at(r.after)) {
		notices = append(notices, eventstore.Notice{Kind: eventstore.CheckpointReached, Position: at(r.after)})
	}
	if !r.live {
		r.live = true
		notices = append(notices, eventstore.Notice{Kind: eventstore.CaughtUp, Position: at(r.after)})
	}
	return notices
}

// fail names errors as the client does, for whoever reads by either.
func (r *Reader) fail(err error) error {
	if errors.Is(err, journal.ErrClosed) {
		return errors.Join(eventstore.ErrUnavailable, err)
	}
	return err
}

// Close lets go of nothing: a reader holds nothing open between two batches.
func (r *Reader) Close() {}

func at(position uint64) eventstore.Position {
	return eventstore.Position{Commit: position, Prepare: position}
}

func recorded(r *journal.Record) eventstore.Recorded {
	return eventstore.Recorded{
		Stream:   string(r.Stream),
		Revision: r.Revision,
		Position: at(r.Position),
		ID:       r.ID,
		Type:     string(r.Type),
		Created:  r.Created.Time(),
		Data:     r.Data,
		Metadata: r.Metadata,
	}
}
