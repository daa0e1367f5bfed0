package journal

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// Limit bounds a page. Long reads go page by page, so that a slow reader pins
// nothing of the database and holds no more memory than a page.
type Limit struct {
	Records uint64
	Bytes   int // passed by one record at most
	// Reuse, where there is any, is the records of a page that its reader is done
	// with. What they point to is left alone.
	Reuse []Record
}

// maxPageRecords bounds a page whatever its reader asks for.
const maxPageRecords = 4096

func (l Limit) reached(records, bytes int) bool {
	return uint64(records) >= min(l.Records, maxPageRecords) || records > 0 && bytes >= l.Bytes
}

// Page is a stretch of the log, or of one stream, in reading order. Its records
// are the reader's to keep.
type Page struct {
	Records []Record
	// Bytes is what the records take, about.
	Bytes int
	// Next is where the following page starts: a position for the log, a
	// revision for a stream. It has no meaning where End is set.
	Next uint64
	// End says that there is nothing more to read for now.
	End bool
}

// Forwards reads the log from the position on, that event included.
func (j *Journal) Forwards(ctx context.Context, from uint64, limit Limit) (Page, error) {
	upTo := j.durable.load()
	if recent, ok := j.tail.from(from, limit.Bytes); ok {
		return pageOfTail(recent, from, upTo, limit)
	}
	page, err := j.page(ctx, scanRange{from: from, upTo: upTo}, limit)
	if n := len(page.Records); n > 0 {
		page.Next = page.Records[n-1].Position + 1
	} else {
		page.Next = max(from, upTo+1)
	}
	return page, err
}

// Backwards reads the log from the position back, that event excluded.
func (j *Journal) Backwards(ctx context.Context, before uint64, limit Limit) (Page, error) {
	page, err := j.page(ctx, scanRange{from: before, upTo: j.durable.load(), backwards: true}, limit)
	if n := len(page.Records); n > 0 {
		page.Next = page.Records[n-1].Position
	}
	return page, err
}

func pageOfTail(recent []tailRecord, from, upTo uint64, limit Limit) (Page, error) {
	page := Page{Records: limit.Reuse[:0], Next: max(from, upTo+1), End: true}
	for _, r := range recent {
		if r.position > upTo || limit.reached(len(page.Records), 0) {
			break
		}
		record, err := decodeRecord(r.position, r.value)
		if err != nil {
			return Page{}, &Corruption{Where: positionName(r.position), Err: err}
		}
		page.Records = append(page.Records, record)
		page.Bytes += len(r.value)
	}
	if n := len(page.Records); n > 0 {
		page.Next = page.Records[n-1].Position + 1
		page.End = page.Next > upTo
	}
	return page, nil
}

func (j *Journal) page(ctx context.Context, r scanRange, limit Limit) (Page, error) {
	release, err := j.reading()
	if err != nil {
		return Page{}, err
	}
	defer release()
	page := Page{Records: limit.Reuse[:0], End: true}
	a := arena{step: limit.Bytes}
	err = j.scan(r, func(record Record) (bool, error) {
		if limit.reached(len(page.Records), a.used) {
			page.End = false
			return false, nil
		}
		a.keep(&record)
		page.Records = append(page.Records, record)
		if len(page.Records)%256 == 0 {
			return true, ctx.Err()
		}
		return true, nil
	})
	if err != nil {
		return Page{}, err
	}
	page.Bytes = a.used
	return page, nil
}

// scanRange is a stretch of the log: from a position on, that event included,
// or back from it, that event excluded, and nothing after upTo.
type scanRange struct {
	from, upTo uint64
	backwards  bool
}

// scan hands records over until fn has enough. They are valid during the call.
func (j *Journal) scan(r scanRange, fn func(Record) (more bool, err error)) (err error) {
	lower, upper := eventKey(r.from), []byte{prefixEvent + 1}
	if r.backwards {
		lower, upper = eventKey(0), eventKey(r.from)
		if r.from > r.upTo && r.upTo < math.MaxUint64 {
			upper = eventKey(r.upTo + 1)
		} else if r.from == math.MaxUint64 {
			upper = []byte{prefixEvent + 1}
		}
	} else if r.upTo < math.MaxUint64 {
		upper = eventKey(r.upTo + 1)
	}
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return corruptAt("the log", err)
	}
	last := r.from
	defer func() {
		err = errors.Join(err, corruptAt(fmt.Sprintf("an event near position %d", last), it.Close()))
	}()
	step, ok := it.Next, false
	if r.backwards {
		step, ok = it.Prev, it.Last()
	} else {
		ok = it.First()
	}
	for ; ok; ok = step() {
		last = eventPosition(it.Key())
		value, err := it.ValueAndErr()
		if err != nil {
			return corruptAt(positionName(last), err)
		}
		record, err := decodeRecord(last, value)
		if err != nil {
			return &Corruption{Where: positionName(last), Err: err}
		}
		if more, err := fn(record); err != nil || !more {
			return err
		}
	}
	return nil
}

func positionName(position uint64) string { return fmt.Sprintf("position %d", position) }

// arena holds the bytes of a page's records in few allocations.
type arena struct {
	chunk []byte
	used  int
	step  int // the size of an allocation, at most arenaChunk
}

const arenaChunk = 64 << 10

// keep copies the record's bytes and lets the record point to the copy.
func (a *arena) keep(r *Record) {
	size := len(r.Stream) + len(r.Type) + len(r.Metadata) + len(r.Data)
	if cap(a.chunk)-len(a.chunk) < size {
		a.chunk = make([]byte, 0, max(min(a.step, arenaChunk), size))
	}
	a.used += size
	for _, field := range []*[]byte{&r.Stream, &r.Type, &r.Metadata, &r.Data} {
		start := len(a.chunk)
		a.chunk = append(a.chunk, *field...)
		*field = a.chunk[start:len(a.chunk):len(a.chunk)]
	}
}
