package group

import (
	"bytes"
	"container/list"
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore/node/journal"
)

// Event is what a group hands out. Link is the link that led to the record, nil
// where none did; the record is nil where its link leads nowhere.
type Event struct {
	Record, Link *journal.Record
}

// Original is what stands in the stream that the group reads. Consumers answer
// with its id.
func (e Event) Original() *journal.Record {
	if e.Link != nil {
		return e.Link
	}
	return e.Record
}

func (e Event) id() uuid.UUID { return e.Original().ID }

// shown is the record itself, or the link where that leads nowhere.
func (e Event) shown() *journal.Record {
	if e.Record != nil {
		return e.Record
	}
	return e.Link
}

// eventOverhead is what a group needs to keep an event in mind, in bytes and
// about.
const eventOverhead = 512

// Size is what the event takes in memory, in bytes and about.
func (e Event) Size() int {
	n := eventOverhead
	for _, r := range []*journal.Record{e.Record, e.Link} {
		if r != nil {
			n += len(r.Stream) + len(r.Type) + len(r.Metadata) + len(r.Data)
		}
	}
	return n
}

// Message is an event on its way through a group.
type Message struct {
	Event
	Reason string // for which it is parked

	place    uint64
	replayed bool  // it had been parked; its place is the one in the parked stream
	entry    entry // in the ledger of its kind
	retries  int
	bucket   uint16 // of the pinned strategies

	// While it is in flight:
	consumer *Consumer
	flight   *list.Element
	sent     time.Time
}

// buckets are what the pinned strategies share out among consumers.
const buckets = 1024

func bucketOf(s Strategy, e Event) uint16 {
	var key []byte
	switch s {
	case PinnedByCorrelation:
		if key = correlation(e.shown().Metadata); key == nil {
			key = source(e)
		}
	case Pinned:
		key = source(e)
	case RoundRobin, DispatchToSingle:
		return 0
	}
	hash := fnv.New32a()
	_, _ = hash.Write(key) // never fails
	return uint16(hash.Sum32() % buckets)
}

// source is the stream that an event was appended to, also where only a link to
// it is known.
func source(e Event) []byte {
	r := e.shown()
	if string(r.Type) == "$>" {
		if _, stream, ok := bytes.Cut(r.Data, []byte("@")); ok {
			return stream
		}
	}
	return r.Stream
}

func correlation(metadata []byte) []byte {
	var fields struct {
		ID *string `json:"$correlationId"`
	}
	if json.Unmarshal(metadata, &fields) != nil || fields.ID == nil {
		return nil
	}
	return []byte(*fields.ID)
}
