package journal

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// retention deletes, in the background, what can no longer be read from its
// stream: events before $tb, beyond $maxCount and older than $maxAge, those of
// deleted streams, and metadata that newer metadata has replaced. It does so a
// little at a time; where the process dies it begins again with what is left.
type retention struct {
	journal *Journal
	pace    pace
	clock   steadyClock

	mu    sync.Mutex
	due   map[string]struct{} // streams whose metadata changed or that were tombstoned
	since uint64              // the last such change's position
	woken chan struct{}

	// Owned by the goroutine.
	garbage map[uint64]uint64 // bytes deleted and not yet compacted away, by stretch of the log
}

// pace bounds what retention takes of the disk and of the writer.
type pace struct {
	first  time.Duration // from opening to the first look at every stream
	every  time.Duration // between two of those
	settle time.Duration // from a change of metadata to acting on it
	rest   time.Duration // between two batches of deletes
	events int           // in a batch of deletes
	looks  int           // streams looked at between two rests
	// garbage is how many bytes deleted in a stretch of the log are worth
	// compacting it.
	garbage uint64
}

// At this pace at most some 12,000 events a second are deleted.
var defaultPace = pace{
	first: time.Minute, every: time.Hour, settle: 10 * time.Second,
	rest: 20 * time.Millisecond, events: 256, looks: 128, garbage: 4 << 20,
}

// maxDue bounds the streams remembered between two looks at every stream.
const maxDue = 4096

func newRetention(j *Journal, p *pace, elapsed func() time.Duration) *retention {
	if p == nil {
		p = &defaultPace
	}
	return &retention{
		journal: j, pace: *p, clock: steadyClock{now: j.now, elapsed: elapsed},
		due: map[string]struct{}{}, woken: make(chan struct{}, 1), garbage: map[uint64]uint64{},
	}
}

// note says that a stream may have events to be deleted. Where too many are
// noted, the rest is found by the next look at every stream.
func (r *retention) note(stream string, position uint64) {
	r.mu.Lock()
	r.since = position
	if len(r.due) < maxDue {
		r.due[stream] = struct{}{}
	}
	r.mu.Unlock()
	select {
	case r.woken <- struct{}{}:
	default: // it has been told
	}
}

func (r *retention) noted() (streams []string, since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	streams = slices.Collect(maps.Keys(r.due))
	clear(r.due)
	return streams, r.since
}

// run works until ctx ends.
func (r *retention) run(ctx context.Context) {
	full := time.NewTimer(r.pace.first)
	defer full.Stop()
	for {
		select {
		case <-full.C:
			r.report(r.everyStream(ctx))
			full.Reset(r.pace.every)
		case <-r.woken:
			if !r.wait(ctx, r.pace.settle) {
				return
			}
			streams, since := r.noted()
			if r.journal.Wait(ctx, since-1) != nil { // it is decided on what is on disk
				return
			}
			r.report(r.streams(ctx, streams))
		case <-ctx.Done():
			return
		}
	}
}

func (r *retention) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// freed is what retention has deleted.
type freed struct {
	streams, events int
	bytes           uint64
}

func (f *freed) add(more freed) {
	f.streams += more.streams
	f.events += more.events
	f.bytes += more.bytes
}

func (r *retention) report(f freed, err error) {
	if f.events > 0 {
		r.journal.log.Info("retention deleted events that could no longer be read",
			"streams", f.streams, "events", f.events, "bytes", f.bytes)
	}
	// Damage is told to whoever reads it; what could not be done is done later.
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) {
		r.journal.log.Warn("retention could not delete everything", "error", err)
	}
}

// everyStream looks at all streams that have metadata, and at those that were
// tombstoned and are not yet empty.
func (r *retention) everyStream(ctx context.Context) (freed, error) {
	r.clock.observe()
	var all freed
	for _, kind := range []struct {
		prefix []byte
		name   func(key []byte) string
	}{
		{nameKey(metaPrefix), func(key []byte) string { return string(key[1+len(metaPrefix):]) }},
		{tombstoneKey(""), func(key []byte) string { return string(key[1:]) }},
	} {
		from := kind.prefix
		for from != nil {
			var names []string
			var err error
			names, from, err = r.journal.names(from, kind.prefix, kind.name, r.pace.looks)
			if err != nil {
				return all, err
			}
			f, err := r.streams(ctx, names)
			all.add(f)
			if err != nil {
				return all, err
			}
			if !r.wait(ctx, r.pace.rest) {
				return all, ctx.Err()
			}
		}
	}
	return all, nil
}

// streams deletes what has to go from each of the streams and from its metadata.
func (r *retention) streams(ctx context.Context, names []string) (freed, error) {
	var all freed
	var failures error
	for _, name := range names {
		for _, stream := range []string{name, metaPrefix + name} {
			if r.journal.permanent.has(stream) {
				continue
			}
			f, err := r.stream(ctx, stream)
			all.add(f)
			var damaged *Corruption
			if errors.Is(err, errForgotten) { // by the way: the next look will see what there is
				continue
			}
			if errors.As(err, &damaged) { // the other streams can do without this one
				failures = err
				continue
			}
			if err != nil {
				return all, err
			}
		}
		if err := r.journal.unmark(name); err != nil {
			return all, err
		}
	}
	return all, errors.Join(failures, r.compact(ctx))
}

// stream deletes from one stream, batch after batch.
func (r *retention) stream(ctx context.Context, name string) (f freed, err error) {
	for from := uint64(0); ; {
		d, err := r.journal.deletable(name, from, r.pace.events, r.clock.trusted())
		if err != nil || d.batch == nil {
			return f, err
		}
		if err := r.journal.carryOut(name, d); err != nil {
			return f, err
		}
		if d.refused { // its metadata has changed: that is noted, and will be acted upon
			return f, nil
		}
		f.streams, f.events = 1, f.events+d.events
		for stretch, bytes := range d.garbage {
			r.garbage[stretch] += bytes
			f.bytes += bytes
		}
		from = d.next
		if !r.wait(ctx, r.pace.rest) {
			return f, ctx.Err()
		}
	}
}

// stretchPositions is how much of the log is compacted in one go. The tables of
// so many keys take a few megabytes.
const stretchPositions = 1 << 17

// compact has the storage let go of what was deleted, where that is much. What
// is deleted here and there goes with the compactions that writing brings, and
// so does what was deleted before a restart.
func (r *retention) compact(ctx context.Context) error {
	for _, stretch := range slices.Sorted(maps.Keys(r.garbage)) {
		if r.garbage[stretch] < r.pace.garbage {
			continue
		}
		delete(r.garbage, stretch)
		if err := r.journal.compact(ctx, stretch*stretchPositions, (stretch+1)*stretchPositions); err != nil {
			return err
		}
		if !r.wait(ctx, r.pace.rest) {
			return ctx.Err()
		}
	}
	return nil
}

func (j *Journal) compact(ctx context.Context, from, to uint64) error {
	release, err := j.reading()
	if err != nil {
		return err
	}
	defer release()
	return j.db.Compact(ctx, eventKey(from), eventKey(to), false)
}

// names lists some of the names that the keys under a prefix hold, and the key
// to go on from, nil where there are no more.
func (j *Journal) names(from, prefix []byte, name func([]byte) string, limit int) (names []string, next []byte, err error) {
	release, err := j.reading()
	if err != nil {
		return nil, nil, err
	}
	defer release()
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: after(prefix)})
	if err != nil {
		return nil, nil, corruptAt("the names of streams", err)
	}
	defer func() { err = errors.Join(err, corruptAt("the names of streams", it.Close())) }()
	for ok := it.First(); ok; ok = it.Next() {
		if len(names) == limit {
			return names, slices.Clone(it.Key()), nil
		}
		names = append(names, name(it.Key()))
	}
	return names, nil, nil
}
