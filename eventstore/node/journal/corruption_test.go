package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// contents reads everything through both indexes.
func contents(ctx context.Context, j *Journal) ([]string, error) {
	var all []string
	last := map[string]uint64{}
	for page := (Page{}); !page.End; {
		var err error
		if page, err = j.Forwards(ctx, page.Next, whole); err != nil {
			return all, err
		}
		for _, r := range page.Records {
			all = append(all, fmt.Sprintf("%d %s %d %s %s %s %s", r.Position, r.Stream, r.Revision, r.ID, r.Type, r.Data, r.Metadata))
			last[string(r.Stream)] = r.Revision
		}
	}
	for name, revision := range last {
		s, err := j.Stream(name)
		if err != nil {
			return all, err
		}
		if s.Last != int64(revision) {
			return all, fmt.Errorf("stream %s ends at %d, the log at %d", name, s.Last, revision)
		}
		page, err := j.StreamForwards(ctx, s, 0, whole)
		if err != nil {
			return all, err
		}
		if uint64(len(page.Records)) != revision+1 {
			return all, fmt.Errorf("stream %s: %d events of %d", name, len(page.Records), revision+1)
		}
	}
	return all, nil
}

// writeHistory makes a journal with some history and returns what is in it.
func writeHistory(t *testing.T, dir string, events int) (*Journal, []string) {
	t.Helper()
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		mustAppend(t, j, fmt.Sprintf("s-%d", i%7), Any, Event{
			ID: uuid.New(), Type: "Noted", JSON: true,
			Data: fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, i, strings.Repeat("x", i%200)), Metadata: []byte(`{"m":1}`),
		})
	}
	all, err := contents(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return j, all
}

// A flipped byte either changes nothing that is served or is reported. It never
// yields other events than were written, nor fewer without an error.
func TestFlippedBytesAreNeverServed(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"closed", "killed", "flushed"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j, want := writeHistory(t, dir, 400)
			copied := t.TempDir()
			if state == "flushed" { // from the write-ahead log to tables and blobs
				if err := j.db.Flush(); err != nil {
					t.Fatal(err)
				}
				if blobs, err := filepath.Glob(filepath.Join(dir, "*.blob")); err != nil || len(blobs) == 0 {
					t.Fatalf("no blob was written: %v", err)
				}
			}
			if state == "killed" {
				copyFolder(t, dir, copied)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if state != "killed" {
				copyFolder(t, dir, copied)
			}
			rng := rand.New(rand.NewPCG(7, 7))
			reported := 0
			for range 250 {
				file, offset := pickByte(t, rng, copied)
				place := fmt.Sprintf("%s at byte %d", filepath.Base(file), offset)
				damaged := t.TempDir()
				copyFolder(t, copied, damaged)
				flip(t, filepath.Join(damaged, filepath.Base(file)), offset, byte(1<<rng.IntN(8)))
				got, err := openAndRead(t, damaged)
				if err != nil {
					reported++
					continue
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s: served without an error:\n%s", place, diff)
				}
			}
			if reported == 0 {
				t.Error("no flip of 250 was noticed: the test flips nothing that matters")
			}
		})
	}
}

func TestFlippedByteInAnEventIsReportedWithItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := writeHistory(t, dir, 50)
	position := uint64(20)
	value, closer, err := j.db.Get(eventKey(position))
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), value...)
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	damaged[len(damaged)-1] ^= 4
	if err := j.db.Set(eventKey(position), damaged, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, Options{})
	page, err := j.Forwards(t.Context(), 1, whole)
	var c *Corruption
	if !errors.As(err, &c) || c.Where != "position 20" {
		t.Fatalf("read %d events and %v", len(page.Records), err)
	}
}

// What a crash in the middle of a write leaves is cut off at the last whole
// commit, and writing goes on.
func TestTornTailIsCutOffAtTheLastCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, before := writeHistory(t, dir, 40)
	mark, err := os.ReadFile(filepath.Join(dir, highWaterName))
	if err != nil {
		t.Fatal(err)
	}
	wal := newestWAL(t, dir)
	start := writtenSize(t, wal)
	batch := []Event{event("A"), event("B"), event("C")}
	mustAppend(t, j, "torn", NoStream, batch...)
	end := writtenSize(t, wal)
	after, err := contents(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	copyFolder(t, dir, copied)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if end <= start {
		t.Fatalf("the batch added nothing to %s", wal)
	}
	kept := 0
	const step = 7
	for cut := start; cut <= end+step; cut += step { // the last one cuts nothing off
		torn := t.TempDir()
		copyFolder(t, copied, torn)
		tornWAL := filepath.Join(torn, filepath.Base(wal))
		if err := os.Truncate(tornWAL, cut); err != nil {
			t.Fatal(err)
		}
		if cut%2 == 0 { // the zeros ahead may have reached the disk before the data
			if err := os.Truncate(tornWAL, cut+zeroAhead); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(torn, highWaterName), mark, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := openAndRead(t, torn)
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, end, err)
		}
		want := before
		if len(got) > len(before) {
			want, kept = after, kept+1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cut at %d of %d:\n%s", cut, end, diff)
		}
		j := open(t, torn, Options{})
		mustAppend(t, j, "torn", Any, event("D"))
	}
	if kept == 0 {
		t.Error("no cut left the batch whole, not even the last")
	}
}

// The same cut is corruption where the lost events had been acknowledged.
func TestLostAcknowledgedTailIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := writeHistory(t, dir, 40)
	wal := newestWAL(t, dir)
	copied := t.TempDir()
	copyFolder(t, dir, copied)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	copiedWAL := filepath.Join(copied, filepath.Base(wal))
	if err := os.Truncate(copiedWAL, writtenSize(t, copiedWAL)-300); err != nil {
		t.Fatal(err)
	}
	_, err := openAndRead(t, copied)
	var c *Corruption
	if !errors.As(err, &c) {
		t.Fatalf("opened with %v", err)
	}
}

func openAndRead(t *testing.T, dir string) ([]string, error) {
	t.Helper()
	j, err := Open(dir, Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = j.Close() }() // of a damaged journal
	return contents(t.Context(), j)
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// pickByte picks a byte of a file that holds something, each file as often as
// the others.
func pickByte(t *testing.T, rng *rand.Rand, dir string) (path string, offset int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for {
		path = filepath.Join(dir, entries[rng.IntN(len(entries))].Name())
		if size := fileSize(t, path); size > 0 {
			return path, rng.Int64N(size)
		}
	}
}

func flip(t *testing.T, path string, offset int64, bits byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[offset] ^= bits
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// writtenSize is the size of a write-ahead log without the zeros ahead.
func writtenSize(t *testing.T, path string) int64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(bytes.TrimRight(b, "\x00")))
}

func newestWAL(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no write-ahead log in %s: %v", dir, err)
	}
	return logs[len(logs)-1]
}
