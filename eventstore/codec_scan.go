package eventstore

import "bytes"

// scanner reads JSON that has no white space, no escapes and no characters
// beyond ASCII.
type scanner struct {
	rest []byte
}

// object calls member with each name when its value is next.
func (s *scanner) object(member func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	for {
		name, ok := s.text()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// sealed reads a personal field, its two parts still in base64.
func (s *scanner) sealed() (ciphertext, commit []byte, ok bool) {
	ok = s.object(func(name []byte) (ok bool) {
		switch string(name) {
		case "ciphertext":
			ciphertext, ok = s.text()
		case "commit":
			commit, ok = s.text()
		}
		return ok
	})
	return ciphertext, commit, ok
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

func (s *scanner) into(unmarshal func([]byte) error) bool {
	text, ok := s.text()
	return ok && unmarshal(text) == nil
}

// text is a string without its quotes.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		return nil, false
	}
	text := s.rest[:end]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			return nil, false
		}
	}
	s.rest = s.rest[end+1:]
	return text, true
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

func (s *scanner) take(c byte) bool {
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}
