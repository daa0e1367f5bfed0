package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// smallDisk is a file system with so much room, of which others may take some.
type smallDisk struct {
	vfs.FS
	state *smallDiskState
}

type smallDiskState struct {
	mu     sync.Mutex
	size   uint64
	others uint64
	unmet  map[string]int // writes that found no room, by kind of file
}

func newSmallDisk(fs vfs.FS, size uint64) smallDisk {
	return smallDisk{FS: fs, state: &smallDiskState{size: size, unmet: map[string]int{}}}
}

// others says how much of the disk others take.
func (d smallDisk) others(bytes uint64) {
	d.state.mu.Lock()
	defer d.state.mu.Unlock()
	d.state.others = bytes
}

func (d smallDisk) unmet() map[string]int {
	d.state.mu.Lock()
	defer d.state.mu.Unlock()
	return maps.Clone(d.state.unmet)
}

// free is to be called with the lock held.
func (d smallDisk) free() uint64 {
	used := d.state.others
	names, _ := d.List("data") // which may not be there yet
	for _, name := range names {
		if info, err := d.Stat(d.PathJoin("data", name)); err == nil {
			used += uint64(info.Size())
		}
	}
	return max(d.state.size, used) - used
}

func (d smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.state.mu.Lock()
	defer d.state.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: d.free(), TotalBytes: d.state.size}, nil
}

// room is nil where the disk takes so many bytes more. The lock is held then.
func (d smallDisk) room(name string, bytes int) error {
	d.state.mu.Lock()
	if uint64(bytes) <= d.free() {
		return nil
	}
	kind := filepath.Ext(name)
	if kind == "" {
		kind = "other"
	}
	d.state.unmet[kind]++
	d.state.mu.Unlock()
	return syscall.ENOSPC
}

func (d smallDisk) made(name string, make func() (vfs.File, error)) (vfs.File, error) {
	if err := d.room(name, 1); err != nil {
		return nil, err
	}
	defer d.state.mu.Unlock()
	file, err := make()
	return smallFile{File: file, disk: d, name: name}, err
}

func (d smallDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.made(name, func() (vfs.File, error) { return d.FS.Create(name, category) })
}

func (d smallDisk) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.made(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, category, o...) })
}

func (d smallDisk) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.made(newName, func() (vfs.File, error) { return d.FS.ReuseForWrite(oldName, newName, category) })
}

type smallFile struct {
	vfs.File
	disk smallDisk
	name string
}

func (f smallFile) Write(p []byte) (int, error) {
	if err := f.disk.room(f.name, len(p)); err != nil {
		return 0, err
	}
	defer f.disk.state.mu.Unlock()
	return f.File.Write(p)
}

func (f smallFile) WriteAt(p []byte, offset int64) (int, error) {
	if err := f.disk.room(f.name, len(p)); err != nil {
		return 0, err
	}
	defer f.disk.state.mu.Unlock()
	return f.File.WriteAt(p, offset)
}

// fill appends until the disk is full, and returns the events acknowledged.
func fill(t *testing.T, j *Journal) (acknowledged int) {
	t.Helper()
	data := make([]byte, 64<<10)
	if _, err := rand.Read(data); err != nil { // which does not shrink
		t.Fatal(err)
	}
	for {
		e := event("E")
		e.JSON, e.Data = false, data
		_, err := j.Append(t.Context(), "s", Any, []Event{e})
		var full *DiskFull
		if errors.As(err, &full) {
			if full.Needed == 0 || full.Free >= full.Needed {
				t.Errorf("said %v", full)
			}
			return acknowledged
		}
		if err != nil {
			t.Fatal(err)
		}
		acknowledged++
	}
}

// A disk that its own events fill is noticed before it is full: nothing but
// appends is refused, and these are taken again without a restart.
func TestAFullDiskRefusesAppendsUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	disk := newSmallDisk(vfs.NewMem(), 24<<20)
	options := Options{FS: disk, memTable: 256 << 10, pace: hurried()}
	j, err := Open("data", options)
	if err != nil {
		t.Fatal(err)
	}
	want := fill(t, j)
	if unmet := disk.unmet(); len(unmet) > 0 {
		t.Errorf("writes met a full disk: %v", unmet)
	}
	disk.others(1 << 40) // a compaction may have freed some
	until(t, func() bool { return j.space.full.Load() != nil })
	if got := revisions(t, j, "s"); len(got) != want {
		t.Errorf("%d events are read of %d", len(got), want)
	}
	for _, write := range []func() error{
		func() error { _, err := j.Delete(t.Context(), "s", Any); return err },
		func() error { _, err := j.Tombstone(t.Context(), "s", Any); return err },
	} {
		var full *DiskFull
		if err := write(); !errors.As(err, &full) {
			t.Errorf("another write: %v", err)
		}
	}
	disk.state.mu.Lock()
	disk.state.size *= 2
	disk.state.mu.Unlock()
	disk.others(0)
	until(t, func() bool {
		_, err := j.Append(t.Context(), "s", Expected(want-1), []Event{event("E")})
		return err == nil
	})
	if err := j.Err(); err != nil {
		t.Errorf("the journal stopped: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := revisions(t, open(t, "data", options), "s"); len(got) != want+1 {
		t.Errorf("%d events of %d are there after reopening", len(got), want+1)
	}
}

// Others can fill the disk from one moment to the next. Writes under way wait
// then, for none of them is given up; later ones are refused; and all is well
// when the others let go, as often as that happens.
func TestADiskFilledByOthersLosesNothing(t *testing.T) {
	t.Parallel()
	disk := newSmallDisk(vfs.NewMem(), 256<<20)
	options := Options{FS: disk, memTable: 256 << 10, pace: hurried()}
	j, err := Open("data", options)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{acked: map[string][][]uuid.UUID{}}
	var acknowledged atomic.Int64
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			stream := fmt.Sprintf("w-%d", w)
			for {
				e := event("E")
				e.JSON, e.Data = false, make([]byte, 2<<10)
				for {
					select {
					case <-stop:
						return
					default:
					}
					_, err := j.Append(t.Context(), stream, Any, []Event{e})
					var full *DiskFull
					if errors.As(err, &full) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					break
				}
				l.note(stream, []uuid.UUID{e.ID})
				acknowledged.Add(1)
			}
		})
	}
	full := func() bool { // where it matters; which write meets it is chance
		unmet := disk.unmet()
		return unmet[".log"] > 0 && unmet[".blob"]+unmet[".sst"] > 0
	}
	for round := 0; round < 4 || !full(); round++ {
		done := acknowledged.Load()
		until(t, func() bool { return acknowledged.Load() > done+300 })
		disk.others(1 << 40)
		until(t, func() bool { // one that is under way waits
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := j.Append(ctx, "probe", Any, []Event{event("E")})
			var full *DiskFull
			return errors.As(err, &full)
		})
		if _, err := j.Forwards(t.Context(), 1, whole); err != nil {
			t.Errorf("reading: %v", err)
		}
		disk.others(0)
	}
	done := acknowledged.Load()
	until(t, func() bool { return acknowledged.Load() > done+300 })
	close(stop)
	writers.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compare(t, disk.FS, l.snapshot()); err != nil {
		t.Error(err)
	}
}

// Nobody would hear of a journal that waits for room before it is open.
func TestAFullDiskRefusesToOpen(t *testing.T) {
	t.Parallel()
	disk := newSmallDisk(vfs.NewMem(), 1<<30)
	disk.others(1<<30 - 64<<20)
	var full *DiskFull
	if _, err := Open("data", Options{FS: disk}); !errors.As(err, &full) {
		t.Fatalf("opened, or %v", err)
	}
	disk.others(0)
	j, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
