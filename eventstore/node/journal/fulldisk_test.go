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

// failingDisk takes no more of one kind of file once it fails.
type failingDisk struct {
	vfs.FS
	suffix string
	err    error
	fails  *atomic.Bool
}

func newFailingDisk(suffix string, err error) failingDisk {
	return failingDisk{FS: vfs.NewMem(), suffix: suffix, err: err, fails: new(atomic.Bool)}
}

func (d failingDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if d.fails.Load() && strings.HasSuffix(name, d.suffix) {
		return nil, d.err
	}
	return d.FS.Create(name, category)
}

func (d failingDisk) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := d.FS.OpenReadWrite(name, category, o...)
	if err != nil || !strings.HasSuffix(name, d.suffix) {
		return file, err
	}
	return failingFile{File: file, disk: d}, nil
}

type failingFile struct {
	vfs.File
	disk failingDisk
}

func (f failingFile) Write(p []byte) (int, error) {
	if f.disk.fails.Load() {
		return 0, f.disk.err
	}
	return f.File.Write(p)
}

func (f failingFile) WriteAt(p []byte, offset int64) (int, error) {
	if f.disk.fails.Load() {
		return 0, f.disk.err
	}
	return f.File.WriteAt(p, offset)
}

// A journal whose disk fails says so, tells whoever runs it, and has lost
// nothing when it is opened again.
func TestABrokenDiskStopsTheJournal(t *testing.T) {
	t.Parallel()
	disk := newFailingDisk(".log", syscall.EIO)
	j, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := mustAppend(t, j, "s", NoStream, event("A"))
	disk.fails.Store(true)
	if _, err := j.Append(t.Context(), "s", 0, []Event{event("B")}); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("an append to a broken disk: %v", err)
	}
	<-j.Failed()
	if !errors.Is(j.Err(), syscall.EIO) {
		t.Errorf("the journal stopped for %v", j.Err())
	}
	if got := revisions(t, j, "s"); len(got) != 1 {
		t.Errorf("read %v while the disk was broken", got)
	}
	_ = j.Close() // of a failed journal
	disk.fails.Store(false)
	j = open(t, "data", Options{FS: disk})
	if j.Head() < acknowledged.Position {
		t.Errorf("head %d, %d had been acknowledged", j.Head(), acknowledged.Position)
	}
	mustAppend(t, j, "t", NoStream, event("C"))
}

// A full disk must not keep the process from ending.
func TestCloseDoesNotWaitForAFullDisk(t *testing.T) {
	t.Parallel()
	disk := newFailingDisk(".sst", syscall.ENOSPC)
	j, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	j.closeLimit = 10 * time.Millisecond
	acknowledged := mustAppend(t, j, "s", NoStream, event("A"))
	disk.fails.Store(true)
	if err := j.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	disk.fails.Store(false)
	until(t, func() bool { // closing goes on behind, and lets go of the folder in the end
		j, err = Open("data", Options{FS: disk})
		return !errors.Is(err, ErrLocked)
	})
	if err != nil {
		t.Fatal(err)
	}
	if j.Head() != acknowledged.Position {
		t.Errorf("head %d, %d had been acknowledged", j.Head(), acknowledged.Position)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
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
