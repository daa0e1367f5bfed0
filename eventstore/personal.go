package eventstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	fastjson "github.com/segmentio/encoding/json"
)

// A field that tells something about a person is marked by a struct tag that
// names the field holding whose it is:
//
//	type Approved struct {
//		ContactID string `json:"contactId"`
//		Signer    string `json:"signer,omitempty" personal:"ContactID"`
//	}
//
// The name is looked up in the struct itself, then in those around it, and may
// lead into a struct ("Actor.ID"). Personal fields may sit in nested structs,
// behind pointers and in slices, and may be of any type that JSON can hold.
//
// Such a field is stored in its place as {"ciphertext", "commit"}. The
// ciphertext is the salt followed by the value's JSON, sealed under the
// subject's key; the commit is SHA-256 over the same bytes, so that one field
// can be opened to a stranger, who can check it against the log, without
// handing over a key that opens everything else. Once the key is destroyed, the
// field reads as its zero value and is named in Decoded.Erased.
//
// A ciphertext is bound to its business, subject, event and place in the event.
// An upcaster that moves a field to another place therefore leaves a second tag
// that says where it used to be: `formerly:"customer.name"`, with [] for each
// slice on the way, as in `formerly:"lines[].note"`.

// ErrKeyring marks an error of the keyring, such as that its store is away.
var ErrKeyring = errors.New("keys could not be had")

// ErrErased is returned where something personal is to be stored about a
// subject whose key has been destroyed: a person stays erased.
var ErrErased = errors.New("subject erased")

// Subject is whose personal data it is: a person at one business. The same
// person at another business is another subject.
type Subject struct {
	Business string
	ID       string
}

// Key is the AEAD of one subject. It may be used by several goroutines at once.
type Key interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Keyring holds the keys of subjects. Both methods take any number of distinct
// subjects and are expected to ask their store once for all of them.
type Keyring interface {
	// Obtain returns the key of every subject, making those that do not exist
	// yet. It fails with ErrErased if one of them has been destroyed.
	Obtain(ctx context.Context, subjects []Subject) (map[Subject]Key, error)
	// Lookup makes nothing. A destroyed key is in the answer as nil; a subject
	// that never had a key is not in it.
	Lookup(ctx context.Context, subjects []Subject) (map[Subject]Key, error)
}

// spot is one personal field of one event, between its Go value and its place
// in the JSON document.
type spot struct {
	value   reflect.Value // as the event has it
	stored  reflect.Value // a json.RawMessage, as the document has it
	subject reflect.Value // a string; read late, when the event is filled
	field   *personalField
	indices []int // in the slices on the way
}

// absent is a spot with nothing in it to protect. Only types with an empty
// value of their own can be absent: that a number is zero is already a datum.
func (s spot) absent() bool {
	switch s.value.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return s.value.IsZero()
	default:
		return false
	}
}

func (s spot) unsealed() bool {
	raw := s.stored.Bytes()
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

func (s spot) owner(business string) Subject {
	return Subject{Business: business, ID: s.subject.String()}
}

const saltSize = 32

// sealed is a personal field as it is stored.
type sealed struct {
	Ciphertext []byte `json:"ciphertext"`
	Commit     []byte `json:"commit"`
}

func parseSealed(data []byte) (sealed, error) {
	s := scanner{rest: data}
	var parsed sealed
	var err error
	if ciphertext, commit, usual := s.sealed(); usual && len(s.rest) == 0 {
		if parsed.Ciphertext, err = base64.StdEncoding.AppendDecode(nil, ciphertext); err == nil {
			parsed.Commit, err = base64.StdEncoding.AppendDecode(nil, commit)
		}
	} else {
		err = fastjson.Unmarshal(data, &parsed)
	}
	if err != nil || len(parsed.Ciphertext) == 0 {
		return sealed{}, errors.New("not sealed as a personal field must be")
	}
	return parsed, nil
}

// seal puts the value into the document.
func (s spot) seal(key Key, business string, event uuid.UUID) error {
	value, err := json.Marshal(s.value.Interface())
	if err != nil {
		return err
	}
	plaintext := make([]byte, saltSize, saltSize+len(value))
	rand.Read(plaintext)
	plaintext = append(plaintext, value...)

	ciphertext, err := key.Encrypt(plaintext, s.binding(s.field.path, business, event))
	if err != nil {
		return err
	}
	commit := sha256.Sum256(plaintext)

	document := append(make([]byte, 0, 96+len(ciphertext)*4/3), `{"ciphertext":"`...)
	document = base64.StdEncoding.AppendEncode(document, ciphertext)
	document = append(document, `","commit":"`...)
	document = base64.StdEncoding.AppendEncode(document, commit[:])
	s.stored.SetBytes(append(document, `"}`...))
	return nil
}

// open puts what the document holds into the value.
func (s spot) open(key Key, business string, event uuid.UUID) error {
	document, err := parseSealed(s.stored.Bytes())
	if err != nil {
		return err
	}
	plaintext, err := key.Decrypt(document.Ciphertext, s.binding(s.field.path, business, event))
	if err != nil && s.field.formerly != "" {
		plaintext, err = key.Decrypt(document.Ciphertext, s.binding(s.field.formerly, business, event))
	}
	if err != nil {
		return errors.New("does not open under its subject's key")
	}
	if commit := sha256.Sum256(plaintext); !bytes.Equal(commit[:], document.Commit) || len(plaintext) < saltSize {
		return errors.New("does not match its commit")
	}
	if err := fastjson.Unmarshal(plaintext[saltSize:], s.value.Addr().Interface()); err != nil {
		return fmt.Errorf("holds another type: %w", err)
	}
	return nil
}

// binding is the associated data: a ciphertext copied to another business,
// subject, event, field or line does not open there.
func (s spot) binding(path, business string, event uuid.UUID) []byte {
	b := make([]byte, 0, 160)
	b = appendPart(b, []byte(business))
	b = appendPart(b, []byte(s.subject.String()))
	b = appendPart(b, event[:])
	b = appendPart(b, []byte(path))
	for _, i := range s.indices {
		b = binary.AppendUvarint(b, uint64(i))
	}
	return b
}
