package journal

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// ErrNoStream says that a stream has never been written to, or is soft-deleted.
var ErrNoStream = errors.New("there is no such stream")

// Stream is a stream as it stood at one moment.
type Stream struct {
	id     uint64
	upTo   uint64
	policy policy
	First  int64 // first visible revision; above Last where none is
	Last   int64 // last revision
}

// Stream looks a stream up. It returns ErrNoStream or a *StreamDeleted where
// there is nothing to read.
func (j *Journal) Stream(name string) (Stream, error) {
	release, err := j.reading()
	if err != nil {
		return Stream{}, err
	}
	defer release()
	for {
		if s, err := j.streamAsOf(name, j.durable.load()); !errors.Is(err, errForgotten) {
			return s, err
		}
	}
}

func (j *Journal) streamAsOf(name string, upTo uint64) (Stream, error) {
	h, err := j.loadHead(name, upTo)
	if err != nil {
		return Stream{}, err
	}
	if IsMeta(name) && h.id != 0 { // goes with the stream that it describes
		described, err := j.loadHead(name[len(metaPrefix):], upTo)
		if err != nil {
			return Stream{}, err
		}
		if described.tombstoned() {
			return Stream{}, &StreamDeleted{Stream: name}
		}
	}
	switch {
	case h.tombstoned():
		return Stream{}, &StreamDeleted{Stream: name}
	case h.last < 0 || h.softDeleted():
		return Stream{}, ErrNoStream
	}
	return Stream{id: h.id, upTo: upTo, policy: h.policy, First: h.policy.first(h.last), Last: h.last}, nil
}

// StreamForwards reads a stream from the revision on, that event included.
func (j *Journal) StreamForwards(ctx context.Context, s Stream, from uint64, limit Limit) (Page, error) {
	return j.streamPage(ctx, s, max(from, uint64(s.First)), math.MaxUint64, false, limit)
}

// StreamBackwards reads a stream from the revision back, that event included.
func (j *Journal) StreamBackwards(ctx context.Context, s Stream, from uint64, limit Limit) (Page, error) {
	return j.streamPage(ctx, s, uint64(s.First), from, true, limit)
}

// streamPage reads the revisions low to high, both included, from either end.
func (j *Journal) streamPage(ctx context.Context, s Stream, low, high uint64, backwards bool, limit Limit) (_ Page, err error) {
	release, err := j.reading()
	if err != nil {
		return Page{}, err
	}
	defer release()
	high = min(high, uint64(s.Last))
	if low > high {
		return Page{End: true}, nil
	}
	where := fmt.Sprintf("the index of stream %d", s.id)
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: streamKey(s.id, low), UpperBound: append(streamKey(s.id, high), 0)})
	if err != nil {
		return Page{}, corruptAt(where, err)
	}
	defer func() { err = errors.Join(err, corruptAt(where, it.Close())) }()

	page := Page{Records: limit.Reuse[:0], End: true}
	a := arena{step: limit.Bytes}
	now := j.now()
	step, ok := it.Next, false
	if backwards {
		step, ok = it.Prev, it.Last()
	} else {
		ok = it.First()
	}
	for seen := 0; ok; ok, seen = step(), seen+1 {
		revision := streamRevision(it.Key())
		if limit.reached(len(page.Records), a.used) || seen == maxPageRecords {
			page.End, page.Next = false, revision
			break
		}
		if seen%256 == 255 && ctx.Err() != nil {
			return Page{}, ctx.Err()
		}
		position, err := decodePosition(where, it.Value())
		if err != nil {
			return Page{}, err
		}
		if position > s.upTo {
			continue
		}
		record, closer, err := j.getIndexed(s.id, revision, position)
		if errors.Is(err, errForgotten) {
			continue // it was to be seen no more
		}
		if err != nil {
			return Page{}, err
		}
		if !s.policy.expired(record.Created, now) {
			a.keep(&record)
			page.Records = append(page.Records, record)
		}
		if err := closer.Close(); err != nil {
			return Page{}, fmt.Errorf("release position %d: %w", position, err)
		}
	}
	page.Bytes = a.used
	return page, nil
}

// At reads one event of a stream, as a link names it.
func (j *Journal) At(stream string, revision uint64) (Record, error) {
	s, err := j.Stream(stream)
	if err != nil {
		return Record{}, err
	}
	page, err := j.streamPage(context.Background(), s, max(revision, uint64(s.First)), revision, false, Limit{Records: 1})
	if err != nil {
		return Record{}, err
	}
	if len(page.Records) == 0 {
		return Record{}, ErrNoStream
	}
	return page.Records[0], nil
}
