package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
)

// Canonical is the one way of writing a value as JSON that RFC 8785 allows:
// no white space, members sorted by the UTF-16 units of their names, nothing
// escaped that need not be. Of numbers it takes integers only, within what a
// double holds exactly, so that any program in any language makes the same
// bytes.
func Canonical(v any) ([]byte, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	reader := json.NewDecoder(bytes.NewReader(encoded))
	reader.UseNumber()
	var tree any
	if err := reader.Decode(&tree); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return appendCanonical(nil, tree)
}

func appendCanonical(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case map[string]any:
		return appendObject(b, v)
	case []any:
		return appendArray(b, v)
	case string:
		return appendString(b, v), nil
	case json.Number:
		return appendInteger(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	}
	return append(b, "null"...), nil
}

func appendObject(b []byte, members map[string]any) ([]byte, error) {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
	})
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		var err error
		if b, err = appendCanonical(b, members[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendArray(b []byte, elements []any) ([]byte, error) {
	b = append(b, '[')
	for i, element := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendCanonical(b, element); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

var errNotInteger = errors.New("canonical JSON: only integers of at most 53 bits")

func appendInteger(b []byte, number json.Number) ([]byte, error) {
	const most = 1<<53 - 1
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || n > most || n < -most {
		return nil, fmt.Errorf("%w, not %s", errNotInteger, number)
	}
	return strconv.AppendInt(b, n, 10), nil
}

// shortEscapes are the control characters with an escape of two characters.
var shortEscapes = map[rune]byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		if short, ok := shortEscapes[r]; ok {
			b = append(b, '\\', short)
		} else if r < 0x20 {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
