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

	page  []journal.Record  // room for the records of a page
	usual int               // notices in the last batch; the next is likely to have as many
	types map[string]string // each name once
}

// Follow starts reading after options.From. Buffer and CheckpointEvery have no
// meaning here: nothing is read ahead, and each batch that found nothing ends
// with a checkpoint.
func (n *Node) Follow(options eventstore.SubscribeOptions) *Reader {
	r := &Reader{node: n, after: min(options.From.Commit, math.MaxUint64-1), types: make(map[string]string)} // so that there is a next one
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
	limit = max(limit, 1)
	notices := make([]eventstore.Notice, 0, min(r.usual, limit))
	defer func() { r.usual = len(notices) }()
	for size := 0; len(notices) < limit && size < maxBatchBytes; {
		page, err := r.node.journal.Forwards(ctx, r.after+1, journal.Limit{
			Records: uint64(limit - len(notices)), Bytes: maxPageBytes, Reuse: r.page,
		})
		if err != nil && len(notices) > 0 {
			return notices, nil
		}
		if err != nil {
			return nil, err
		}
		notices = r.choose(notices, page.Records)
		size += page.Bytes
		moved := len(page.Records) > 0
		clear(page.Records) // let go of the bytes
		r.page = page.Records
		if page.End {
			notices = r.atEnd(notices, moved)
			return notices, nil
		}
	}
	return notices, nil
}

// choose adds the events of a page that pass the filter. A page's bytes stay in
// memory as long as one of its events does, so that few events out of many are
// copied.
func (r *Reader) choose(notices []eventstore.Notice, page []journal.Record) []eventstore.Notice {
	before := len(notices)
	for i := range page {
		record := &page[i]
		r.after = record.Position
		if r.admits(record.Stream, record.Type) {
			notices = append(notices, eventstore.Notice{
				Kind: eventstore.EventAppeared, Event: r.recorded(record), Position: at(record.Position),
			})
		}
	}
	if chosen := notices[before:]; len(chosen) < len(page)/2 {
		for i := range chosen {
			e := &chosen[i].Event
			e.Data, e.Metadata = bytes.Clone(e.Data), bytes.Clone(e.Metadata)
		}
	}
	return notices
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

func (r *Reader) recorded(record *journal.Record) eventstore.Recorded {
	return eventstore.Recorded{
		Stream:   string(record.Stream),
		Revision: record.Revision,
		Position: at(record.Position),
		ID:       record.ID,
		Type:     r.typeOf(record),
		Created:  record.Created.Time(),
		Data:     record.Data,
		Metadata: record.Metadata,
	}
}

// maxTypes bounds the types that a reader remembers.
const maxTypes = 1000

func (r *Reader) typeOf(record *journal.Record) string {
	if known, ok := r.types[string(record.Type)]; ok {
		return known
	}
	if len(r.types) == maxTypes {
		clear(r.types)
	}
	name := string(record.Type)
	r.types[name] = name
	return name
}
