package journal

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/uuid"
)

// A record that decodes is one that was encoded: the same bytes come out again.
func FuzzDecodeRecord(f *testing.F) {
	e := Event{ID: uuid.MustParse("8b9ad2f6-7c3e-8a54-9d1c-2f6a0b3c4d5e"), Type: "Noted", JSON: true, Data: []byte(`{"n":1}`), Metadata: []byte(`{}`)}
	f.Add(uint64(1), encodeRecord(1, 0, 16_000_000_000_000_000, "s-1", &e))
	f.Add(uint64(2), []byte{recordVersion})
	f.Fuzz(func(t *testing.T, position uint64, b []byte) {
		r, err := decodeRecord(position, b)
		if err != nil {
			return
		}
		again := encodeRecord(position, r.Revision, r.Created, string(r.Stream), &Event{
			ID: r.ID, Type: string(r.Type), JSON: r.JSON, Data: r.Data, Metadata: r.Metadata,
		})
		if !bytes.Equal(b, again) && len(b) == len(again) && b[flagsAt] <= flagJSON {
			t.Errorf("decoded %x, encoded again as %x", b, again)
		}
	})
}

func FuzzStreamMetadata(f *testing.F) {
	f.Add([]byte(`{"$maxCount":3,"$maxAge":60,"$tb":2,"own":"kept"}`))
	f.Add([]byte(`{"$tb":-1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := parsePolicy(data)
		if p.MaxCount < 0 || p.MaxAge < 0 || p.TruncateBefore < 0 {
			t.Errorf("negative policy %+v", p)
		}
		if first := p.first(10); first < 0 {
			t.Errorf("first visible revision %d", first)
		}
		hidden := withTruncateBefore(data, math.MaxInt64)
		if !json.Valid(hidden) || parsePolicy(hidden).TruncateBefore != math.MaxInt64 {
			t.Errorf("a deletion was written as %s", hidden)
		}
	})
}
