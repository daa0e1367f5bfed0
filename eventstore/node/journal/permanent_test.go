package journal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestPermanentStreamsCannotBeTrimmed(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), Options{Permanent: []string{"quote"}})
	for _, stream := range []string{"quote-1", "quote", "quotes-1", "note-1"} {
		appendMany(t, j, stream, 3)
	}
	ends := func(stream string) map[string]error {
		_, deleted := j.Delete(t.Context(), stream, Any)
		_, entombed := j.Tombstone(t.Context(), stream, Any)
		return map[string]error{"delete": deleted, "tombstone": entombed}
	}
	var kept *Permanent
	for what, err := range ends("quote-1") {
		if !errors.As(err, &kept) || kept.Stream != "quote-1" {
			t.Errorf("%s: %v", what, err)
		}
	}
	metadata := func(data string) Event {
		e := event("$metadata")
		e.Data = []byte(data)
		return e
	}
	for _, limit := range []string{`{"$maxCount":1}`, `{"$maxAge":1}`, `{"$tb":1,"owner":"x"}`, `{"$tb":9223372036854775807}`} {
		if _, err := j.Append(t.Context(), "$$quote-1", Any, []Event{metadata(limit)}); !errors.As(err, &kept) {
			t.Errorf("%s: %v", limit, err)
		}
		// Nor in an append of which only the last metadata counts.
		if _, err := j.Submit(t.Context(), "$$quote-1", Any, []Event{metadata(limit), metadata(`{}`)}); !errors.As(err, &kept) {
			t.Errorf("%s in a batch: %v", limit, err)
		}
	}
	mustAppend(t, j, "$$quote-1", Any, metadata(`{"owner":"x","$acl":{"$r":"a"},"$maxCount":0}`))
	if got := revisions(t, j, "quote-1"); !slices.Equal(got, []uint64{0, 1, 2}) {
		t.Errorf("quote-1 shows %v", got)
	}

	for _, stream := range []string{"quote", "quotes-1", "note-1"} {
		describe(t, j, stream, `{"$maxCount":1}`)
		for what, err := range ends(stream) {
			if err != nil {
				t.Errorf("%s of %s: %v", what, stream, err)
			}
		}
	}
	for _, wrong := range []string{"", "quote-1", "$system"} {
		if _, err := Open(t.TempDir(), Options{Permanent: []string{wrong}}); !errors.Is(err, ErrCategory) {
			t.Errorf("category %q: %v", wrong, err)
		}
	}
}

// What was hidden before its category became permanent stays in the log.
func TestRetentionLeavesPermanentStreamsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, category := range []string{"quote", "note"} {
		appendMany(t, j, category+"-counted", 5)
		describe(t, j, category+"-counted", `{"$maxCount":1}`)
		describe(t, j, category+"-counted", `{"$maxCount":2}`)
		for stream, end := range map[string]func(context.Context, string, Expected) (Result, error){"deleted": j.Delete, "tombstoned": j.Tombstone} {
			appendMany(t, j, category+"-"+stream, 4)
			if _, err := end(t.Context(), category+"-"+stream, Any); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, Options{Permanent: []string{"quote"}, pace: hurried()})
	retain(t, j)
	count := map[string]int{}
	for _, name := range inAll(t, j) {
		_, stream, _ := strings.Cut(name, "@")
		count[stream]++
	}
	for stream, want := range map[string]int{
		"quote-counted": 5, "quote-deleted": 4, "quote-tombstoned": 5, "$$quote-counted": 1,
		"note-counted": 2, "note-deleted": 1, "note-tombstoned": 1,
	} {
		if count[stream] != want {
			t.Errorf("%s has %d events, want %d", stream, count[stream], want)
		}
	}
}
