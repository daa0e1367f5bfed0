package journal

import (
	"context"
	"errors"
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

// Result is the answer to a write: where the last event stands. Both numbers
// are the first answer's where the write is a repeat.
type Result struct {
	Revision int64 // -1 where nothing was written to a stream that is not there
	Position uint64
}

// request is one client's write on its way through the writer.
type request struct {
	kind     kind
	stream   string
	expected Expected
	events   []Event
	size     int

	// prior is the head as somebody else than the writer has read it; it spares
	// the writer the look-up where it still holds.
	prior   *head
	priorAt uint64 // everything up to this position was applied before

	forget *deletion

	result Result
	err    error
	done   chan struct{}
}

type kind uint8

const (
	appendEvents kind = iota
	softDelete
	tombstone
	forget // retention's
)

// Append writes events to the end of a stream, all or none, and returns when
// they are on disk. Where ctx ends first, the write may still happen.
func (j *Journal) Append(ctx context.Context, stream string, expected Expected, events []Event) (Result, error) {
	return j.submit(ctx, appendOf(stream, expected, events))
}

// Submit hands an append over without waiting for the disk. What one goroutine
// submits is decided in that order.
func (j *Journal) Submit(ctx context.Context, stream string, expected Expected, events []Event) (*Pending, error) {
	r := appendOf(stream, expected, events)
	if err := j.enqueue(ctx, r); err != nil {
		return nil, err
	}
	return &Pending{journal: j, request: r}, nil
}

// Pending is an append that has its place among all writes and waits for its
// answer.
type Pending struct {
	journal *Journal
	request *request
}

// Wait returns what Append returns.
func (p *Pending) Wait(ctx context.Context) (Result, error) { return p.journal.await(ctx, p.request) }

func appendOf(stream string, expected Expected, events []Event) *request {
	size := 0
	for i := range events {
		size += len(events[i].Data) + len(events[i].Metadata) + len(events[i].Type) + len(stream) + lengthsAt
	}
	return &request{kind: appendEvents, stream: stream, expected: expected, events: events, size: size}
}

// Delete hides all events of a stream, which a later append can revive.
func (j *Journal) Delete(ctx context.Context, stream string, expected Expected) (Result, error) {
	return j.submit(ctx, &request{kind: softDelete, stream: stream, expected: expected})
}

// Tombstone ends a stream for good.
func (j *Journal) Tombstone(ctx context.Context, stream string, expected Expected) (Result, error) {
	return j.submit(ctx, &request{kind: tombstone, stream: stream, expected: expected})
}

func (j *Journal) submit(ctx context.Context, r *request) (Result, error) {
	if err := j.enqueue(ctx, r); err != nil {
		return Result{}, err
	}
	return j.await(ctx, r)
}

func (j *Journal) enqueue(ctx context.Context, r *request) error {
	if full := j.refusal(r); full != nil { // nobody waits behind a write that waits for room
		return full
	}
	if err := j.lookAhead(r); err != nil {
		return err
	}
	r.done = make(chan struct{})
	select {
	case j.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-j.closing:
		return ErrClosed
	}
}

func (j *Journal) await(ctx context.Context, r *request) (Result, error) {
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-j.stopped:
		select {
		case <-r.done: // answered just before the writer stopped
			return r.result, r.err
		default:
			return Result{}, ErrClosed
		}
	}
}

// refusal is why the disk has no room for a request, nil where it has. What
// retention asks for frees some.
func (j *Journal) refusal(r *request) error {
	if full := j.space.full.Load(); full != nil && r.kind != forget {
		return full
	}
	return nil
}

// lookAhead reads the stream's head in the caller's goroutine, so that the one
// writer seldom waits for the disk.
func (j *Journal) lookAhead(r *request) error {
	if j.heads.holds(r.stream) {
		return nil
	}
	release, err := j.reading()
	if err != nil {
		return err
	}
	defer release()
	r.priorAt = j.applied.Load()
	r.prior, err = j.loadHeadExpecting(r.expected, r.stream, everything)
	if errors.Is(err, errForgotten) { // the writer, whom nobody overtakes, looks itself
		r.prior, err = nil, nil
	}
	return err
}

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

// decide answers one request and adds what it writes to the group.
func (j *Journal) decide(g *group, r *request, now Ticks) (Result, error) {
	if full := j.refusal(r); full != nil {
		return Result{}, full
	}
	if r.kind == forget {
		return Result{}, j.forget(g, r)
	}
	h, err := j.headFor(r.stream, r)
	if err != nil {
		return Result{}, err
	}
	v, place, err := judge(h, r.expected, r.events, j)
	if err != nil {
		return Result{}, err
	}
	switch v {
	case deleted:
		return Result{}, &StreamDeleted{Stream: r.stream}
	case wrong:
		return Result{}, &WrongExpected{Stream: r.stream, Expected: r.expected, Current: h.last}
	case repeated:
		return Result{Revision: int64(place.revision), Position: place.position}, nil
	case accepted:
	}
	switch r.kind {
	case softDelete:
		if h.last < 0 && !h.described {
			return Result{}, &WrongExpected{Stream: r.stream, Expected: r.expected, Current: h.last}
		}
		return j.describe(g, r.stream, withTruncateBefore(nil, tombstoneRevision), now)
	case tombstone:
		return j.entomb(g, r.stream, h, now)
	case appendEvents, forget:
	}
	if IsMeta(r.stream) {
		described, err := j.headFor(r.stream[len(metaPrefix):], nil)
		if err != nil {
			return Result{}, err
		}
		if described.tombstoned() {
			return Result{}, &StreamDeleted{Stream: r.stream}
		}
	}
	return j.extend(g, r, h, now)
}

// extend adds the request's events to their stream, reviving it where it was
// soft-deleted.
func (j *Journal) extend(g *group, r *request, h *head, now Ticks) (Result, error) {
	if len(r.events) == 0 {
		return Result{Revision: h.last, Position: h.changed}, nil
	}
	if h.softDeleted() {
		if err := j.revive(g, r.stream, h, now); err != nil {
			return Result{}, err
		}
	}
	for i := range r.events {
		if err := j.put(g, r.stream, h, uint64(h.last+1), &r.events[i], now); err != nil {
			return Result{}, err
		}
	}
	result := Result{Revision: h.last, Position: h.changed}
	if IsMeta(r.stream) {
		return result, j.redescribe(g, r.stream[len(metaPrefix):], r.events[len(r.events)-1].Data, now)
	}
	return result, nil
}

// redescribe takes a client's metadata into account. Metadata brings a
// soft-deleted stream back, and never the events that were deleted.
func (j *Journal) redescribe(g *group, stream string, data []byte, now Ticks) error {
	h, err := j.headFor(stream, nil)
	if err != nil {
		return err
	}
	revival := h.softDeleted() && h.last >= 0
	if err := j.adopt(stream, data); err != nil || !revival {
		return err
	}
	return j.revive(g, stream, h, now)
}

// entomb writes the event that ends a stream, at the last revision there can be.
func (j *Journal) entomb(g *group, stream string, h *head, now Ticks) (Result, error) {
	e := Event{ID: j.newID(), Type: "$streamDeleted"}
	if err := g.batch.Set(tombstoneKey(stream), nil, nil); err != nil {
		return Result{}, fmt.Errorf("tombstone stream %q: %w", stream, err)
	}
	if err := j.put(g, stream, h, tombstoneRevision, &e, now); err != nil {
		return Result{}, err
	}
	j.retention.note(stream, h.changed)
	return Result{Revision: h.last, Position: h.changed}, nil
}

// revive lets a soft-deleted stream begin after its deleted events. The rest of
// its metadata stays.
func (j *Journal) revive(g *group, stream string, h *head, now Ticks) error {
	meta, err := j.headFor(metaPrefix+stream, nil)
	if err != nil {
		return err
	}
	current, err := j.lastData(g, meta)
	if err != nil {
		return err
	}
	_, err = j.describe(g, stream, withTruncateBefore(current, h.last+1), now)
	return err
}

// describe writes a stream's metadata.
func (j *Journal) describe(g *group, stream string, metadata []byte, now Ticks) (Result, error) {
	h, err := j.headFor(metaPrefix+stream, nil)
	if err != nil {
		return Result{}, err
	}
	if h.tombstoned() {
		return Result{}, &StreamDeleted{Stream: metaPrefix + stream}
	}
	e := Event{ID: j.newID(), Type: "$metadata", JSON: true, Data: metadata}
	if err := j.put(g, metaPrefix+stream, h, uint64(h.last+1), &e, now); err != nil {
		return Result{}, err
	}
	return Result{Revision: h.last, Position: h.changed}, j.adopt(stream, metadata)
}

// adopt takes new metadata into the head of the stream that it governs.
func (j *Journal) adopt(stream string, data []byte) error {
	h, err := j.headFor(stream, nil)
	if err != nil {
		return err
	}
	if !IsMeta(stream) {
		h.policy, h.described = parsePolicy(data), true
	}
	h.changed = max(h.changed, j.next-1)
	j.retention.note(stream, h.changed)
	return nil
}

// put numbers one event and adds it to the group's batch.
func (j *Journal) put(g *group, stream string, h *head, revision uint64, e *Event, now Ticks) error {
	position := j.next
	record := encodeRecord(position, revision, now, stream, e)
	if h.id == 0 {
		h.id = position
		if err := g.batch.Set(nameKey(stream), encodePosition(position), nil); err != nil {
			return fmt.Errorf("name stream %q: %w", stream, err)
		}
	}
	if err := errors.Join(
		g.batch.Set(eventKey(position), record, nil),
		g.batch.Set(streamKey(h.id, revision), encodePosition(position), nil),
	); err != nil {
		return fmt.Errorf("write event %d: %w", position, err)
	}
	h.last, h.changed = int64(revision), position
	j.ids.Add(e.ID, recentEvent{stream: h.id, written: written{revision: revision, position: position}})
	g.records = append(g.records, tailRecord{position: position, value: record})
	j.next++
	return nil
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
