package node

import (
	"encoding/binary"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that codec falls back on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"portal.example/eventstore/node/journal"
)

// Events leave the node by the hundred thousand a second. Building the
// generated messages for them costs more than reading them from disk does, so
// their wire form is written straight from the record; all other messages go
// through the generated code.

// eventMessage is a ReadResp that holds an event, of Streams or of
// PersistentSubscriptions, whose messages look the same on the wire.
type eventMessage struct {
	record, link *journal.Record // what is shown, and the link that led to it; nil where there is none
	textID       bool            // ids as text instead of two integers
	tried        bool            // retries are to be told, as persistent subscriptions do
	retries      int
}

// codec is protobuf's, with a short cut for eventMessage.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*eventMessage)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	body := m.size()
	pool := mem.DefaultBufferPool()
	buffer := pool.Get(protowire.SizeTag(1) + protowire.SizeBytes(body))
	b := protowire.AppendTag((*buffer)[:0], 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(body))
	*buffer = m.append(b)
	return mem.BufferSlice{mem.NewBuffer(buffer, pool)}, nil
}

// size and append encode a ReadEvent: event 1, link 2, commit_position 3,
// retry_count 5.
func (m *eventMessage) size() int {
	n := 0
	if m.record != nil {
		n += protowire.SizeTag(1) + protowire.SizeBytes(m.recordSize(m.record))
	}
	if m.link != nil {
		n += protowire.SizeTag(2) + protowire.SizeBytes(m.recordSize(m.link))
	}
	n += protowire.SizeTag(3) + protowire.SizeVarint(m.original().Position)
	if m.tried {
		n += protowire.SizeTag(5) + protowire.SizeVarint(uint64(m.retries))
	}
	return n
}

func (m *eventMessage) append(b []byte) []byte {
	if m.record != nil {
		b = m.appendRecord(b, 1, m.record)
	}
	if m.link != nil {
		b = m.appendRecord(b, 2, m.link)
	}
	b = protowire.AppendTag(b, 3, protowire.VarintType)
	b = protowire.AppendVarint(b, m.original().Position)
	if m.tried {
		b = protowire.AppendTag(b, 5, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(m.retries))
	}
	return b
}

// original is the event that stands at the place being read.
func (m *eventMessage) original() *journal.Record {
	if m.link != nil {
		return m.link
	}
	return m.record
}

const (
	jsonContent   = "application/json"
	binaryContent = "application/octet-stream"
	textIDBytes   = 36
)

func contentType(r *journal.Record) string {
	if r.JSON {
		return jsonContent
	}
	return binaryContent
}

// recordSize and appendRecord encode a RecordedEvent: id 1, stream_identifier 2
// (stream_name 3), stream_revision 3, prepare_position 4, commit_position 5,
// metadata 6 (key 1, value 2), custom_metadata 7, data 8. Every tag is one byte.
func (m *eventMessage) recordSize(r *journal.Record) int {
	var digits [20]byte
	created := len(strconv.AppendInt(digits[:0], int64(r.Created), 10))
	return 1 + protowire.SizeBytes(m.idSize(r.ID)) +
		1 + protowire.SizeBytes(1+protowire.SizeBytes(len(r.Stream))) +
		1 + protowire.SizeVarint(r.Revision) +
		2*(1+protowire.SizeVarint(r.Position)) +
		1 + protowire.SizeBytes(pairSize("type", len(r.Type))) +
		1 + protowire.SizeBytes(pairSize("created", created)) +
		1 + protowire.SizeBytes(pairSize("content-type", len(contentType(r)))) +
		1 + protowire.SizeBytes(len(r.Metadata)) +
		1 + protowire.SizeBytes(len(r.Data))
}

func (m *eventMessage) appendRecord(b []byte, field protowire.Number, r *journal.Record) []byte {
	var digits [20]byte
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(m.recordSize(r)))
	b = m.appendID(b, r.ID)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(1+protowire.SizeBytes(len(r.Stream))))
	b = appendBytes(b, 3, r.Stream)
	for i, n := range [3]uint64{r.Revision, r.Position, r.Position} {
		b = protowire.AppendTag(b, protowire.Number(3+i), protowire.VarintType)
		b = protowire.AppendVarint(b, n)
	}
	b = appendPair(b, "type", r.Type)
	b = appendPair(b, "created", strconv.AppendInt(digits[:0], int64(r.Created), 10))
	b = appendPair(b, "content-type", []byte(contentType(r)))
	b = appendBytes(b, 7, r.Metadata)
	return appendBytes(b, 8, r.Data)
}

func pairSize(key string, value int) int {
	return 1 + protowire.SizeBytes(len(key)) + 1 + protowire.SizeBytes(value)
}

func appendPair(b []byte, key string, value []byte) []byte {
	b = protowire.AppendTag(b, 6, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(pairSize(key, len(value))))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, key)
	return appendBytes(b, 2, value)
}

func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

// An id is a UUID: structured 1 (two signed integers), or string 2.
func (m *eventMessage) idSize(id uuid.UUID) int {
	if m.textID {
		return 1 + protowire.SizeBytes(textIDBytes)
	}
	high, low := halves(id)
	return 1 + protowire.SizeBytes(2+protowire.SizeVarint(high)+protowire.SizeVarint(low))
}

func (m *eventMessage) appendID(b []byte, id uuid.UUID) []byte {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(m.idSize(id)))
	if m.textID {
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		return protowire.AppendString(b, id.String())
	}
	high, low := halves(id)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(2+protowire.SizeVarint(high)+protowire.SizeVarint(low)))
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, high)
	b = protowire.AppendTag(b, 2, protowire.VarintType)
	return protowire.AppendVarint(b, low)
}

func halves(id uuid.UUID) (high, low uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}

func structuredID(s *shared.UUID_Structured) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(s.GetMostSignificantBits()))
	binary.BigEndian.PutUint64(id[8:], uint64(s.GetLeastSignificantBits()))
	return id
}
