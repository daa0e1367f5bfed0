package eventstore

import (
	"encoding/binary"
	"math/bits"

	"github.com/google/uuid"
)

// scanner reads JSON as encoding/json writes it, as long as there are no escapes and
// no characters beyond ASCII.
type scanner struct {
	rest  []byte
	names names
}

// names are strings that come again and again, each kept once. Without a map each
// is a string of its own.
type names map[string]string

const maxNames = 1000

func (n names) of(text []byte) string {
	if known, ok := n[string(text)]; ok {
		return known
	}
	name := string(text)
	if n != nil && len(n) < maxNames {
		n[name] = name
	}
	return name
}

// take passes over what must come next.
func (s *scanner) take(next string) bool {
	if len(s.rest) < len(next) || string(s.rest[:len(next)]) != next {
		return false
	}
	s.rest = s.rest[len(next):]
	return true
}

// sealed reads a personal field, its two parts still in base64.
func (s *scanner) sealed() (ciphertext, commit []byte, ok bool) {
	if ok = s.take(`{"ciphertext":`); ok {
		ciphertext, ok = s.text()
	}
	if ok = ok && s.take(`,"commit":`); ok {
		commit, ok = s.text()
	}
	return ciphertext, commit, ok && s.take(`}`)
}

func (s *scanner) skipSealed() bool {
	_, _, ok := s.sealed()
	return ok
}

func (s *scanner) string(to *string) bool {
	text, ok := s.text()
	*to = string(text)
	return ok
}

func (s *scanner) name(to *string) bool {
	text, ok := s.text()
	*to = s.names.of(text)
	return ok
}

// uuid reads one in its usual form.
func (s *scanner) uuid(to *uuid.UUID) bool {
	const quoted = len(`"00000000-0000-0000-0000-000000000000"`)
	if len(s.rest) < quoted || s.rest[0] != '"' || s.rest[quoted-1] != '"' {
		return false
	}
	id, err := uuid.ParseBytes(s.rest[1 : quoted-1])
	*to, s.rest = id, s.rest[quoted:]
	return err == nil
}

func (s *scanner) into(unmarshal func([]byte) error) bool {
	text, ok := s.text()
	return ok && unmarshal(text) == nil
}

// text is a string without its quotes.
func (s *scanner) text() ([]byte, bool) {
	if !s.take(`"`) {
		return nil, false
	}
	n := plain(s.rest)
	if n == len(s.rest) || s.rest[n] != '"' {
		return nil, false
	}
	text := s.rest[:n]
	s.rest = s.rest[n+1:]
	return text, true
}

// plain counts the bytes before the first that is no plain character of a string: a
// quote, a backslash, a control character or anything beyond ASCII. It looks at eight
// at once. A borrow makes a byte suspicious only after one that is found out, so that
// the first one is right.
func plain(text []byte) (n int) {
	const each, top = 0x0101010101010101, 0x8080808080808080
	for ; len(text)-n >= 8; n += 8 {
		eight := binary.LittleEndian.Uint64(text[n:])
		quote, backslash, del := eight^each*'"', eight^each*'\\', eight^each*0x7f
		found := ((quote-each)&^quote | (backslash-each)&^backslash | (del-each)&^del | (eight-each*' ')&^eight | eight) & top
		if found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for ; n < len(text); n++ {
		if c := text[n]; c < ' ' || c > '~' || c == '\\' || c == '"' {
			break
		}
	}
	return n
}

// number reads up to nine digits.
func (s *scanner) number(to *int) bool {
	n, digits := 0, 0
	for digits < len(s.rest) && digits < 10 && '0' <= s.rest[digits] && s.rest[digits] <= '9' {
		n = n*10 + int(s.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits == 10 || digits > 1 && s.rest[0] == '0' {
		return false
	}
	*to, s.rest = n, s.rest[digits:]
	return true
}
