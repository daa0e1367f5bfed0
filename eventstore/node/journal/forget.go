package journal

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// firstPosition is the log's first event, by which readers recognise the log. It
// stays in the log for ever, also where its stream no longer has it.
const firstPosition = 1

// deletion is a batch of deletes as it was found right for a stream under a
// policy. The writer carries it out where the policy still holds.
type deletion struct {
	batch   *pebble.Batch // nil where nothing is to be deleted
	policy  policy
	final   bool // the stream is tombstoned, or its owner: nothing can change that
	events  int
	garbage map[uint64]uint64 // bytes, by stretch of the log
	next    uint64            // revision after the last one deleted
	refused bool
}

// deletable finds the first events that a stream no longer shows, from a
// revision on and at most limit of them. Deleted are always a stream's first
// events, so that its revisions have no gaps; never its last one, from which
// numbering goes on; and nothing that is still in the tail, where readers may
// be.
func (j *Journal) deletable(stream string, from uint64, limit int, byAge bool) (_ *deletion, err error) {
	release, err := j.reading()
	if err != nil {
		return nil, err
	}
	defer release()
	durable := j.durable.load()
	upTo := durable
	if first, kept := j.tail.first(); kept {
		upTo = min(upTo, first-1)
	}
	h, err := j.loadHead(stream, durable)
	if err != nil || h.id == 0 {
		return &deletion{}, err
	}
	d := &deletion{policy: h.policy, final: h.tombstoned(), garbage: map[uint64]uint64{}}
	end := uint64(max(min(h.policy.first(h.last), h.last), 0)) // the last one stays
	if h.tombstoned() {
		end = tombstoneRevision
	}
	if IsMeta(stream) {
		owner, err := j.loadHead(stream[len(metaPrefix):], durable)
		if err != nil {
			return nil, err
		}
		if owner.tombstoned() { // nobody will ever ask for its metadata
			end, d.final = uint64(h.last+1), true
		}
	}
	byAge = byAge && h.policy.MaxAge > 0 && !d.final
	if byAge {
		end = uint64(max(h.last, 0))
	}
	return d, j.collect(d, h, from, end, upTo, limit, byAge)
}

// collect fills the batch with a stream's events from one revision to another.
func (j *Journal) collect(d *deletion, h *head, from, end, upTo uint64, limit int, byAge bool) (err error) {
	if from >= end {
		return nil
	}
	where := fmt.Sprintf("the index of stream %d", h.id)
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: streamKey(h.id, from), UpperBound: streamKey(h.id, end)})
	if err != nil {
		return corruptAt(where, err)
	}
	defer func() { err = errors.Join(err, corruptAt(where, it.Close())) }()
	events, err := j.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixEvent}, UpperBound: []byte{prefixEvent + 1}})
	if err != nil {
		return corruptAt(where, err)
	}
	defer func() { err = errors.Join(err, corruptAt(where, events.Close())) }()

	shown := h.policy.first(h.last)
	now := j.now()
	for ok := it.First(); ok && d.events < limit; ok = it.Next() {
		revision := streamRevision(it.Key())
		position, err := decodePosition(where, it.Value())
		if err != nil {
			return err
		}
		if position > upTo {
			return nil
		}
		if !events.SeekGE(eventKey(position)) || eventPosition(events.Key()) != position {
			return errors.Join(&Corruption{Where: positionName(position), Err: errMissing}, events.Error())
		}
		if byAge && int64(revision) >= shown {
			value, err := events.ValueAndErr()
			if err != nil {
				return corruptAt(positionName(position), err)
			}
			record, err := decodeRecord(position, value)
			if err != nil {
				return &Corruption{Where: positionName(position), Err: err}
			}
			if !h.policy.expired(record.Created, now) {
				return nil
			}
		}
		value := events.LazyValue()
		if err := j.addTo(d, it.Key(), position, value.Len()); err != nil {
			return err
		}
		d.next = revision + 1
	}
	return nil
}

func (j *Journal) addTo(d *deletion, indexKey []byte, position uint64, size int) error {
	if d.batch == nil {
		d.batch = j.db.NewBatch()
	}
	d.events++
	err := d.batch.Delete(indexKey, nil)
	if position != firstPosition {
		d.garbage[position/stretchPositions] += uint64(size)
		err = errors.Join(err, d.batch.DeleteSized(eventKey(position), uint32(min(size, math.MaxUint32)), nil))
	}
	if err != nil {
		return fmt.Errorf("delete event %d: %w", position, err)
	}
	return nil
}

// carryOut hands a deletion to the writer. It does not stop with retention: what
// the writer has in hand must not be closed under it.
func (j *Journal) carryOut(stream string, d *deletion) error {
	_, err := j.submit(context.Background(), &request{kind: forget, stream: stream, forget: d})
	return errors.Join(err, d.batch.Close())
}

// forget is the writer's part: it deletes where what the deletion was decided
// on still holds.
func (j *Journal) forget(g *group, r *request) error {
	d := r.forget
	if !d.final {
		h, err := j.headFor(r.stream, r)
		if err != nil {
			return err
		}
		if d.refused = h.policy != d.policy; d.refused {
			return nil
		}
	}
	if err := g.batch.Apply(d.batch, nil); err != nil {
		return fmt.Errorf("delete from stream %q: %w", r.stream, err)
	}
	return nil
}

// unmark takes the mark off a tombstoned stream that has been emptied.
func (j *Journal) unmark(stream string) error {
	d, err := j.emptied(stream)
	if err != nil || d == nil {
		return err
	}
	return j.carryOut(stream, d)
}

// emptied is nil where the stream has no mark, or something but its tombstone.
func (j *Journal) emptied(stream string) (*deletion, error) {
	release, err := j.reading()
	if err != nil {
		return nil, err
	}
	defer release()
	_, closer, err := j.db.Get(tombstoneKey(stream))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is nothing to do, which is no error
	}
	if err != nil {
		return nil, corruptAt(fmt.Sprintf("the tombstone of stream %q", stream), err)
	}
	if err := closer.Close(); err != nil {
		return nil, err
	}
	for name, empty := range map[string]uint64{stream: tombstoneRevision, metaPrefix + stream: math.MaxUint64} {
		id, err := j.streamID(name)
		if err != nil {
			return nil, err
		}
		if id == 0 {
			continue
		}
		if some, err := j.anyBefore(id, empty); err != nil || some {
			return nil, err
		}
	}
	d := &deletion{final: true, batch: j.db.NewBatch()}
	return d, d.batch.Delete(tombstoneKey(stream), nil)
}

func (j *Journal) anyBefore(id, revision uint64) (some bool, err error) {
	where := fmt.Sprintf("the index of stream %d", id)
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: streamKey(id, 0), UpperBound: streamKey(id, revision)})
	if err != nil {
		return false, corruptAt(where, err)
	}
	some = it.First()
	return some, corruptAt(where, it.Close())
}
