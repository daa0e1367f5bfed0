package journal

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fullDisk takes no more of one kind of file once it is full.
type fullDisk struct {
	vfs.FS
	suffix string
	full   *atomic.Bool
}

func newFullDisk(suffix string) fullDisk {
	return fullDisk{FS: vfs.NewMem(), suffix: suffix, full: new(atomic.Bool)}
}

func (d fullDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if d.full.Load() && strings.HasSuffix(name, d.suffix) {
		return nil, syscall.ENOSPC
	}
	return d.FS.Create(name, category)
}

func (d fullDisk) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := d.FS.OpenReadWrite(name, category, o...)
	if err != nil || !strings.HasSuffix(name, d.suffix) {
		return file, err
	}
	return fullFile{File: file, full: d.full}, nil
}

type fullFile struct {
	vfs.File
	full *atomic.Bool
}

func (f fullFile) Write(p []byte) (int, error) {
	if f.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func (f fullFile) WriteAt(p []byte, offset int64) (int, error) {
	if f.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(p, offset)
}

// A journal whose disk is full says so, tells whoever runs it, and has lost
// nothing when it is opened again.
func TestFullDiskStopsTheJournal(t *testing.T) {
	t.Parallel()
	disk := newFullDisk(".log")
	j, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := mustAppend(t, j, "s", NoStream, event("A"))
	disk.full.Store(true)
	if _, err := j.Append(t.Context(), "s", 0, []Event{event("B")}); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an append to a full disk: %v", err)
	}
	<-j.Failed()
	if !errors.Is(j.Err(), syscall.ENOSPC) {
		t.Errorf("the journal stopped for %v", j.Err())
	}
	if got := revisions(t, j, "s"); len(got) != 1 {
		t.Errorf("read %v while the disk was full", got)
	}
	_ = j.Close() // of a failed journal
	disk.full.Store(false)
	j = open(t, "data", Options{FS: disk})
	if j.Head() < acknowledged.Position {
		t.Errorf("head %d, %d had been acknowledged", j.Head(), acknowledged.Position)
	}
	mustAppend(t, j, "t", NoStream, event("C"))
}

// A full disk must not keep the process from ending.
func TestCloseDoesNotWaitForAFullDisk(t *testing.T) {
	t.Parallel()
	disk := newFullDisk(".sst")
	j, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	j.closeLimit = 10 * time.Millisecond
	acknowledged := mustAppend(t, j, "s", NoStream, event("A"))
	disk.full.Store(true)
	if err := j.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	disk.full.Store(false)
	if j := open(t, "data", Options{FS: disk}); j.Head() != acknowledged.Position {
		t.Errorf("head %d, %d had been acknowledged", j.Head(), acknowledged.Position)
	}
}

func TestMaxAgeOfForEverHidesNothing(t *testing.T) {
	t.Parallel()
	for _, seconds := range []string{"9223372036", "9223372037", "18446744073", "9223372036854775807"} {
		j := open(t, t.TempDir(), Options{})
		mustAppend(t, j, "s", NoStream, event("A"))
		metadata := event("$metadata")
		metadata.Data = []byte(`{"$maxAge":` + seconds + `}`)
		mustAppend(t, j, "$$s", NoStream, metadata)
		if got := revisions(t, j, "s"); len(got) != 1 {
			t.Errorf("$maxAge %s: %d events are visible", seconds, len(got))
		}
	}
}

func TestTombstonedStreamTakesNoMetadata(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), Options{})
	mustAppend(t, j, "s", NoStream, event("A"))
	if _, err := j.Delete(t.Context(), "s", Any); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Tombstone(t.Context(), "s", Any); err != nil {
		t.Fatal(err)
	}
	var gone *StreamDeleted
	if _, err := j.Append(t.Context(), "$$s", Any, []Event{event("$metadata")}); !errors.As(err, &gone) {
		t.Errorf("metadata of a tombstoned stream: %v", err)
	}
}
