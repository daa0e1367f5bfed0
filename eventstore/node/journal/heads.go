package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"sync"

	"github.com/elastic/go-freelru"
	"github.com/google/uuid"
)

const (
	headsKept = 100_000
	idsKept   = 65_536
)

// heads caches the heads of the streams written to lately. The writer alone
// changes them; others only ask whether one is held.
type heads struct {
	mu  sync.Mutex
	lru *freelru.LRU[string, *head]
	// dropped is the newest change of any head that was put out: a head read
	// from disk before that change was applied cannot be trusted.
	dropped uint64
}

func newHeads(seed maphash.Seed) *heads {
	c := &heads{lru: newLRU[string, *head](headsKept, func(stream string) uint64 { return maphash.String(seed, stream) })}
	c.lru.SetOnEvict(func(_ string, h *head) { c.dropped = max(c.dropped, h.changed) })
	return c
}

// newLRU makes a cache whose entries lie in one piece of memory: the garbage collector
// would otherwise follow lists of them in every cycle, for as long as the node runs.
func newLRU[K comparable, V any](kept uint32, hash func(K) uint64) *freelru.LRU[K, V] {
	lru, err := freelru.New[K, V](kept, func(key K) uint32 { return uint32(hash(key)) })
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return lru
}

func (c *heads) holds(stream string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Contains(stream)
}

// headFor returns the writer's view of a stream, everything decided so far
// included. The request's own look-up is taken where it still holds.
func (j *Journal) headFor(stream string, r *request) (*head, error) {
	j.heads.mu.Lock()
	defer j.heads.mu.Unlock()
	if h, ok := j.heads.lru.Get(stream); ok {
		return h, nil
	}
	var h *head
	if r != nil && r.prior != nil && r.priorAt >= j.heads.dropped {
		h = r.prior
	} else {
		var err error
		if h, err = j.loadHead(stream, everything); err != nil {
			return nil, err
		}
	}
	j.heads.lru.Add(stream, h)
	return h, nil
}

// recentEvent is what the writer remembers of an event by its id.
type recentEvent struct {
	stream uint64 // hash of its name, which spares opening the log the look-up of its id
	written
}

func (j *Journal) recent(h *head, id [16]byte) (written, bool) {
	e, ok := j.ids.Get(uuid.UUID(id))
	return e.written, ok && e.stream == h.name
}

// at looks among the recent ids first: what is not on disk yet is there.
func (j *Journal) at(h *head, revision uint64, id [16]byte) (written, bool, error) {
	if w, ok := j.recent(h, id); ok {
		return w, w.revision == revision, nil
	}
	position, err := j.positionOf(h.id, revision)
	if err != nil || position == 0 {
		return written{}, false, err
	}
	record, closer, err := j.getIndexed(h.id, revision, position)
	if errors.Is(err, errForgotten) {
		return written{}, false, nil
	}
	if err != nil {
		return written{}, false, err
	}
	same := record.ID == uuid.UUID(id)
	return written{revision: revision, position: position}, same, closer.Close()
}

// lastData is the data of a stream's last event, empty where there is none.
// The event may still be in the group that is being made.
func (j *Journal) lastData(g *group, h *head) ([]byte, error) {
	if h.last < 0 {
		return nil, nil
	}
	for i := len(g.records) - 1; i >= 0; i-- {
		if g.records[i].position == h.changed {
			record, err := decodeRecord(h.changed, g.records[i].value)
			return record.Data, err
		}
	}
	record, closer, err := j.get(h.changed)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), record.Data...), nil
}

// withTruncateBefore sets $tb in a stream's metadata. Metadata that is no JSON
// object says nothing that could be kept.
func withTruncateBefore(metadata []byte, before int64) []byte {
	fields := map[string]json.RawMessage{}
	var kept map[string]json.RawMessage
	if json.Unmarshal(metadata, &kept) == nil {
		maps.Copy(fields, kept)
	}
	fields["$tb"] = json.RawMessage(fmt.Sprint(before))
	out, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of valid JSON values
	}
	return out
}
