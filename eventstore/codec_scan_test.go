package eventstore

import (
	"bytes"
	"testing"
)

// Eight bytes are looked at in one go: each value is tried at each place
// among them, and after another one that ends the string.
func TestPlainEndsAtTheFirstSpecialCharacter(t *testing.T) {
	t.Parallel()
	for value := range 256 {
		special := value < ' ' || value > '~' || value == '"' || value == '\\'
		for place := range 20 {
			text := bytes.Repeat([]byte{'a'}, 20)
			text[place] = byte(value)
			want := len(text)
			if special {
				want = place
			}
			if got := plain(text); got != want {
				t.Errorf("%#x at %d: found at %d", value, place, got)
			}
			if text[0] = '"'; plain(text) != 0 {
				t.Errorf("%#x at %d hides the quote before it", value, place)
			}
		}
	}
}
