package journal

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A group is what one Pebble batch commits. Its bounds keep a burst from
// making everyone wait for everyone.
const (
	maxGroupRequests = 512
	maxGroupBytes    = 4 << 20
	maxSyncing       = 64 // groups written and waiting for their sync
)

// group is a batch on its way to disk with the requests that it answers.
type group struct {
	requests []*request
	batch    *pebble.Batch // nil where nothing was written
	records  []tailRecord
}

// write is the writer: the only goroutine that decides and numbers events.
func (j *Journal) write() {
	defer close(j.syncing)
	for {
		select {
		case r := <-j.requests:
			j.commit(j.gather(r))
		case <-j.closing:
			return
		}
	}
}

// gather takes what is waiting besides the first request, and waits for none.
func (j *Journal) gather(first *request) *group {
	g := &group{requests: []*request{first}}
	for size := first.size; len(g.requests) < maxGroupRequests && size < maxGroupBytes; {
		select {
		case r := <-j.requests:
			g.requests = append(g.requests, r)
			size += r.size
		default:
			return g
		}
	}
	return g
}

func (j *Journal) commit(g *group) {
	if err := j.failure.load(); err != nil {
		g.fail(err)
		return
	}
	g.batch = j.db.NewBatch()
	now := TicksOf(j.now())
	for _, r := range g.requests {
		r.result, r.err = j.decide(g, r, now)
	}
	if g.batch.Empty() {
		_ = g.batch.Close()
		g.batch = nil
	} else if err := j.apply(j.db, g.batch); err != nil {
		j.fail(err)
		g.fail(j.failure.load())
		return
	}
	if g.batch != nil {
		j.space.wrote(g.batch.Len())
	}
	j.applied.Store(j.next - 1)
	j.syncing <- g
}

// acknowledge answers each group when its sync, and so every earlier group's,
// is done.
func (j *Journal) acknowledge() {
	defer close(j.stopped)
	for g := range j.syncing {
		err := j.failure.load()
		if g.batch != nil {
			if syncErr := j.sync(g.batch); syncErr != nil && err == nil {
				j.fail(syncErr)
				err = j.failure.load()
			}
			_ = g.batch.Close()
		}
		if err != nil {
			g.fail(err)
			continue
		}
		if n := len(g.records); n > 0 {
			last := g.records[n-1].position
			j.highWater.raise(last)
			j.tail.push(g.records)
			j.durable.advance(last)
		}
		for _, r := range g.requests {
			close(r.done)
		}
	}
}

// fail stops the journal: after a failed write memory and disk may disagree.
func (j *Journal) fail(err error) {
	if j.failure.store(err) {
		j.log.Error("the journal takes no more events", "error", err)
		close(j.failed)
	}
}

// background hears of what storage could not do on its own account. Damage is
// told to whoever reads it; anything else would be tried again at once and for
// ever. A full disk it does not see.
func (j *Journal) background(err error) {
	if !pebble.IsCorruptionError(err) {
		j.fail(fmt.Errorf("storage: %w", err))
	}
}

func (g *group) fail(err error) {
	for _, r := range g.requests {
		r.result, r.err = Result{}, err
		close(r.done)
	}
}

// applyBatch writes a batch and starts its sync.
func applyBatch(db *pebble.DB, batch *pebble.Batch) error {
	if err := db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return fmt.Errorf("write to the journal: %w", err)
	}
	return nil
}

// syncBatch waits until the batch, and with it everything before, is on disk.
func syncBatch(batch *pebble.Batch) error {
	if err := batch.SyncWait(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	return nil
}

func utcNow() time.Time { return time.Now().UTC() }
