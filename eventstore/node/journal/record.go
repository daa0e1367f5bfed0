package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/google/uuid"
)

// Event is what a client proposes.
type Event struct {
	ID       uuid.UUID
	Type     string
	JSON     bool // content type application/json; otherwise octet-stream
	Data     []byte
	Metadata []byte
}

// Record is an event as stored. Its slices alias the buffer it was decoded
// from and are valid as long as that is.
type Record struct {
	Position uint64
	Revision uint64
	Created  Ticks
	ID       uuid.UUID
	JSON     bool
	Stream   []byte
	Type     []byte
	Metadata []byte
	Data     []byte
}

// Ticks counts 100 ns since the Unix epoch, the unit in which EventStoreDB
// tells when an event was created.
type Ticks int64

// TicksOf converts a time, cutting it to 100 ns.
func TicksOf(t time.Time) Ticks { return Ticks(t.UnixNano() / 100) }

// Time is the same moment in UTC.
func (t Ticks) Time() time.Time { return time.Unix(0, int64(t)*100).UTC() }

// A record's layout, integers big-endian:
//
//	 0  version (1)
//	 1  CRC-32C of the position and of everything from byte 5 on
//	 5  created
//	13  revision
//	21  event id
//	37  flags
//	38  lengths of stream, type and metadata, as uvarints
//	 …  stream, type, metadata; the data is the rest
const (
	recordVersion = 1
	checksumAt    = 1
	createdAt     = 5
	revisionAt    = 13
	idAt          = 21
	flagsAt       = 37
	lengthsAt     = 38

	flagJSON = 1 << 0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the position too, so that a record found under another key
// than its own is as corrupt as one whose bytes changed.
func checksum(position uint64, body []byte) uint32 {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], position)
	return crc32.Update(crc32.Checksum(key[:], castagnoli), castagnoli, body)
}

func encodeRecord(position, revision uint64, created Ticks, stream string, e *Event) []byte {
	size := lengthsAt + 3*binary.MaxVarintLen32 + len(stream) + len(e.Type) + len(e.Metadata) + len(e.Data)
	b := make([]byte, lengthsAt, size)
	b[0] = recordVersion
	binary.BigEndian.PutUint64(b[createdAt:], uint64(created))
	binary.BigEndian.PutUint64(b[revisionAt:], revision)
	copy(b[idAt:], e.ID[:])
	if e.JSON {
		b[flagsAt] = flagJSON
	}
	b = binary.AppendUvarint(b, uint64(len(stream)))
	b = binary.AppendUvarint(b, uint64(len(e.Type)))
	b = binary.AppendUvarint(b, uint64(len(e.Metadata)))
	b = append(b, stream...)
	b = append(b, e.Type...)
	b = append(b, e.Metadata...)
	b = append(b, e.Data...)
	binary.BigEndian.PutUint32(b[checksumAt:], checksum(position, b[createdAt:]))
	return b
}

var (
	errTooShort = errors.New("record is cut short")
	errChecksum = errors.New("checksum does not match")
)

// decodeRecord verifies b and takes it apart without copying.
func decodeRecord(position uint64, b []byte) (Record, error) {
	if len(b) < lengthsAt {
		return Record{}, errTooShort
	}
	if b[0] != recordVersion {
		return Record{}, fmt.Errorf("record version %d is unknown", b[0])
	}
	if binary.BigEndian.Uint32(b[checksumAt:]) != checksum(position, b[createdAt:]) {
		return Record{}, errChecksum
	}
	r := Record{
		Position: position,
		Created:  Ticks(binary.BigEndian.Uint64(b[createdAt:])),
		Revision: binary.BigEndian.Uint64(b[revisionAt:]),
		ID:       uuid.UUID(b[idAt:flagsAt]),
		JSON:     b[flagsAt]&flagJSON != 0,
	}
	var lengths [3]uint64
	rest := b[lengthsAt:]
	for i := range lengths {
		n, width := binary.Uvarint(rest)
		if width <= 0 {
			return Record{}, errTooShort
		}
		lengths[i], rest = n, rest[width:]
	}
	for i, field := range []*[]byte{&r.Stream, &r.Type, &r.Metadata} {
		if lengths[i] > uint64(len(rest)) {
			return Record{}, errTooShort
		}
		*field, rest = rest[:lengths[i]:lengths[i]], rest[lengths[i]:]
	}
	r.Data = rest
	return r, nil
}
