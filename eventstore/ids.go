package eventstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// CommandID names one command for good: the same business, actor, operation and
// Idempotency-Key always give the same id, and nothing else gives it. The key
// must not be empty: where a client sends none, its caller makes one up, for
// otherwise all commands without a key would be one command.
//
// The target is not part of the id. Repeats are looked for in the stream that
// the command is about, so one key may serve on two streams.
func CommandID(business string, actor Actor, operation, key string) (uuid.UUID, error) {
	if business == "" || operation == "" || key == "" {
		return uuid.Nil, errors.New("eventstore: a command id needs a business, an operation and a key")
	}
	return derive("command", []byte(business),
		[]byte(actor.Kind), []byte(actor.ID), []byte(actor.ActingFor),
		[]byte(operation), []byte(key)), nil
}

// NewID is the id of something that a command brings into the world: a new
// stream, a line, an attempt. A repeat of the command makes the same id. What
// keeps apart the several things that one command makes.
func NewID(command uuid.UUID, what string) uuid.UUID {
	return derive("new", command[:], []byte(what))
}

// EventID is the id of the event at this index among those that one attempt at
// a command appends to a stream.
//
// It covers the fingerprint and the moment besides the command's id, because
// the log compares ids and nothing else: sending the same attempt twice must be
// taken for a repeat, whereas two attempts that raced must not, for the loser
// would believe that what it decided is what was stored. The loser meets a
// wrong expected revision instead, reloads, and answers from the winner's
// events.
func EventID(m Metadata, stream string, index int) uuid.UUID {
	moment := m.RecordedAt.UTC().Format(time.RFC3339Nano)
	return derive("event", m.CommandID[:], m.Fingerprint[:], []byte(moment),
		[]byte(stream), binary.AppendUvarint(nil, uint64(index)))
}

// derive is a UUIDv8 (RFC 9562, section 5.8): SHA-256 over a label and the
// parts, each preceded by its length so that no two lists of parts read alike.
func derive(label string, parts ...[]byte) uuid.UUID {
	text := appendPart(make([]byte, 0, 256), []byte(label))
	for _, part := range parts {
		text = appendPart(text, part)
	}
	sum := sha256.Sum256(text)

	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant 10
	return id
}

func appendPart(to, part []byte) []byte {
	to = binary.AppendUvarint(to, uint64(len(part)))
	return append(to, part...)
}

// Fingerprint tells whether two requests that carry the same key are the same
// request. It is keyed, because what a request holds can be personal and short
// enough to be guessed from a bare hash.
type Fingerprint [16]byte

// NewFingerprint is an HMAC-SHA256, cut to 128 bits, over the parts of a
// request. The secret must outlive restarts and be shared by all instances, or
// honest repeats are taken for other requests.
func NewFingerprint(secret []byte, request ...[]byte) Fingerprint {
	mac := hmac.New(sha256.New, secret)
	for _, part := range request {
		mac.Write(binary.AppendUvarint(nil, uint64(len(part))))
		mac.Write(part)
	}
	return Fingerprint(mac.Sum(nil)[:16])
}

// MarshalText is the stored form: unpadded base64url.
func (f Fingerprint) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, f[:]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.AppendDecode(make([]byte, 0, len(f)), text)
	if err != nil || len(raw) != len(f) {
		return fmt.Errorf("eventstore: %q is no fingerprint", text)
	}
	*f = Fingerprint(raw)
	return nil
}
