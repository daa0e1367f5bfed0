package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// tombstoneRevision is the revision of the event that ends a stream for good.
const tombstoneRevision = math.MaxInt64

// head is what the writer must know of a stream.
type head struct {
	id     uint64 // 0: never written to
	name   uint64 // hash of the stream's name
	last   int64  // last revision, -1: none
	policy policy
	// described says that the stream has metadata, which makes it exist for
	// those who demand only that.
	described bool
	changed   uint64 // position of the last event that changed this head
}

func (h *head) tombstoned() bool  { return h.last == tombstoneRevision }
func (h *head) softDeleted() bool { return h.policy.TruncateBefore == math.MaxInt64 }

// policy is the part of a stream's metadata that says which of its events are
// visible.
type policy struct {
	MaxCount       int64 // $maxCount; 0: no limit
	MaxAge         int64 // $maxAge, seconds; 0: no limit
	TruncateBefore int64 // $tb
}

// parsePolicy reads metadata leniently, field by field: it is the client's
// JSON, and a field that makes no sense limits nothing.
func parsePolicy(data []byte) policy {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return policy{}
	}
	number := func(name string) int64 {
		var n int64
		if json.Unmarshal(fields[name], &n) != nil {
			return 0
		}
		return max(n, 0)
	}
	return policy{MaxCount: number("$maxCount"), MaxAge: number("$maxAge"), TruncateBefore: number("$tb")}
}

// first is the first revision visible in a stream whose last is given.
func (p policy) first(last int64) int64 {
	first := p.TruncateBefore
	if p.MaxCount > 0 {
		first = max(first, last-p.MaxCount+1)
	}
	return first
}

// expired tells whether an event is too old to be shown.
func (p policy) expired(created Ticks, now time.Time) bool {
	const ever = int64(math.MaxInt64 / time.Second) // 292 years: as good as no limit
	return p.MaxAge > 0 && now.Sub(created.Time()) > time.Duration(min(p.MaxAge, ever))*time.Second
}

const metaPrefix = "$$"

// IsMeta tells whether the stream holds another one's metadata.
func IsMeta(stream string) bool { return strings.HasPrefix(stream, metaPrefix) }

// everything is the position up to which a writer reads: the last batch applied.
const everything = math.MaxUint64

// loadHead reads a stream's head as of the last batch applied, or, for readers,
// as of the durable position upTo.
func (j *Journal) loadHead(stream string, upTo uint64) (*head, error) {
	return j.loadHeadExpecting(Any, stream, upTo)
}

// loadHeadExpecting is loadHead for somebody who has an idea of the last
// revision. That it is right costs less to see than to find the last one.
func (j *Journal) loadHeadExpecting(expected Expected, stream string, upTo uint64) (*head, error) {
	h := &head{name: maphash.String(j.seed, stream), last: -1}
	id, err := j.streamID(stream)
	if err != nil {
		return nil, err
	}
	if id != 0 && id <= upTo {
		last, position, err := j.confirmLast(id, expected)
		if err == nil && last < 0 {
			last, position, err = j.lastRevision(id, upTo)
		}
		if err != nil {
			return nil, err
		}
		h.id, h.last, h.changed = id, last, position
	}
	if IsMeta(stream) {
		h.policy.MaxCount = 1
		return h, nil
	}
	h.policy, h.described, err = j.loadPolicy(stream, upTo)
	return h, err
}

func (j *Journal) loadPolicy(stream string, upTo uint64) (p policy, described bool, err error) {
	id, err := j.streamID(metaPrefix + stream)
	if err != nil || id == 0 || id > upTo {
		return policy{}, false, err
	}
	last, position, err := j.lastRevision(id, upTo)
	if err != nil || last < 0 || last == tombstoneRevision {
		return policy{}, false, err
	}
	record, closer, err := j.getIndexed(id, uint64(last), position)
	if err != nil {
		return policy{}, false, err
	}
	defer closer.Close()
	return parsePolicy(record.Data), true, nil
}

func (j *Journal) streamID(stream string) (uint64, error) {
	value, closer, err := j.db.Get(nameKey(stream))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	where := fmt.Sprintf("the name of stream %q", stream)
	if err != nil {
		return 0, corruptAt(where, err)
	}
	defer closer.Close()
	return decodePosition(where, value)
}

// confirmLast returns the expected revision and its position where it is the
// stream's last, and -1 where it is not or no revision was named. It asks for
// single keys, most of which are not there: filters in memory answer that,
// where lastRevision reads a block of every level. Revisions have no gaps but
// the one before a tombstone.
func (j *Journal) confirmLast(id uint64, expected Expected) (last int64, position uint64, err error) {
	if expected < 0 || expected == tombstoneRevision {
		return -1, 0, nil
	}
	revision := uint64(expected)
	position, err = j.positionOf(id, revision)
	if err != nil || position == 0 {
		return -1, 0, err
	}
	for _, later := range []uint64{revision + 1, tombstoneRevision} {
		if taken, err := j.positionOf(id, later); err != nil || taken != 0 {
			return -1, 0, err
		}
	}
	return int64(revision), position, nil
}

// positionOf is 0 where the stream has no event of that revision.
func (j *Journal) positionOf(id, revision uint64) (uint64, error) {
	value, closer, err := j.db.Get(streamKey(id, revision))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	where := fmt.Sprintf("revision %d of stream %d", revision, id)
	if err != nil {
		return 0, corruptAt(where, err)
	}
	defer closer.Close()
	return decodePosition(where, value)
}

// lastRevision is -1 where the stream has no event left. The stream has begun by
// the position: where it has later events only, those up to there have been
// deleted, and lastRevision returns errForgotten.
func (j *Journal) lastRevision(id, upTo uint64) (last int64, position uint64, err error) {
	where := fmt.Sprintf("the end of stream %d", id)
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: streamKey(id, 0), UpperBound: streamEnd(id)})
	if err != nil {
		return 0, 0, corruptAt(where, err)
	}
	defer func() { err = errors.Join(err, corruptAt(where, it.Close())) }()
	later := false
	for ok := it.Last(); ok; ok = it.Prev() {
		position, err := decodePosition(where, it.Value())
		if err != nil {
			return 0, 0, err
		}
		if position <= upTo {
			return int64(streamRevision(it.Key())), position, nil
		}
		later = true
	}
	if later {
		return 0, 0, errForgotten
	}
	return -1, 0, nil
}
