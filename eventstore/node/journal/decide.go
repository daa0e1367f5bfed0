package journal

import (
	"errors"
	"fmt"
)

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
	j.ids.Add(e.ID, recentEvent{stream: h.name, written: written{revision: revision, position: position}})
	g.records = append(g.records, tailRecord{position: position, value: record})
	j.next++
	return nil
}
