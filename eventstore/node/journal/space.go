package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DiskFull says that a write was refused, and nothing of it done, because the
// disk has no room for more. Reads go on, and so do writes once there is room.
type DiskFull struct {
	Dir          string
	Free, Needed uint64 // bytes that are free, and that must be for writes to be taken
}

func (e *DiskFull) Error() string {
	return fmt.Sprintf("the disk of %s is full: %d MiB are free, and writes are taken from %d MiB on; nothing was written",
		e.Dir, e.Free>>20, e.Needed>>20)
}

// Writes are refused before the disk is full: what is in memory has yet to be
// written out, and compactions need room before they free any.
const (
	reserveBytes = 512 << 20
	reserveShare = 4 // at most this part of a small disk
	openingShare = 2 // this part of the reserve is needed to open, for what the write-ahead logs hold is written out then
)

// The disk's free space is looked at so often, because of others, and whenever a
// part of the reserve has been written.
const (
	lookEvery = 250 * time.Millisecond
	lookShare = 16
)

// space watches the room on the journal's disk.
type space struct {
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	every   time.Duration
	looking sync.Mutex

	written int64        // since the last look; the writer's
	step    atomic.Int64 // that the writer may write without a look

	free atomic.Int64             // bytes at the last look, -1 where the file system does not tell
	full atomic.Pointer[DiskFull] // nil: there is room
}

// Room is what a journal's disk had free when it was last looked at.
type Room struct {
	Free int64 // bytes; -1 where the file system does not tell
	Full bool  // writes are refused until there is room
}

// Room tells how much room there is on the journal's disk.
func (j *Journal) Room() Room {
	return Room{Free: j.space.free.Load(), Full: j.space.full.Load() != nil}
}

func newSpace(dir string, o Options) *space {
	s := &space{fs: o.FS, dir: dir, log: o.Logger, every: lookEvery}
	if absolute, err := filepath.Abs(dir); err == nil {
		s.dir = absolute
	}
	s.look()
	return s
}

// toOpen refuses to open a journal that would wait for room before anybody can be
// told: nothing of it could be read meanwhile.
func (s *space) toOpen() error {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return nil //nolint:nilerr // look has said so
	}
	needed := min(reserveBytes, usage.TotalBytes/reserveShare) / openingShare
	if usage.AvailBytes >= needed {
		return nil
	}
	return &DiskFull{Dir: s.dir, Free: usage.AvailBytes, Needed: needed}
}

func (s *space) watch(ctx context.Context) {
	again := time.NewTicker(s.every)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			s.look()
		case <-ctx.Done():
			return
		}
	}
}

// wrote is told by the writer what it has written.
func (s *space) wrote(bytes int) {
	if s.written += int64(bytes); s.written >= s.step.Load() {
		s.written = 0
		s.look()
	}
}

// look finds out whether there is room. Where the file system does not tell, it
// is found out by writing.
func (s *space) look() {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.step.Store(math.MaxInt64)
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		if !errors.Is(err, vfs.ErrUnsupported) {
			s.log.Warn("the disk does not tell how much room it has", "error", err)
		}
		s.free.Store(-1)
		s.full.Store(nil)
		return
	}
	s.free.Store(int64(min(usage.AvailBytes, math.MaxInt64)))
	reserve := min(reserveBytes, usage.TotalBytes/reserveShare)
	s.step.Store(int64(reserve / lookShare))
	needed := reserve + reserve/4 // not to refuse at once again
	before := s.full.Load()
	switch {
	case before == nil && usage.AvailBytes >= reserve:
	case before != nil && usage.AvailBytes >= needed:
		s.full.Store(nil)
		s.log.Info("the disk has room again; writes are taken", "folder", s.dir, "free", usage.AvailBytes)
	default:
		s.refuse(&DiskFull{Dir: s.dir, Free: usage.AvailBytes, Needed: needed})
	}
}

func (s *space) refuse(why *DiskFull) {
	if s.full.Swap(why) == nil {
		s.log.Error("the disk is full; writes are refused until there is room, reads go on",
			"folder", s.dir, "free", why.Free, "needed", why.Needed)
	}
}

// noRoom is for a write that the disk did not take, before it is tried again.
func (s *space) noRoom() {
	if s.full.Load() == nil {
		s.refuse(&DiskFull{Dir: s.dir})
	}
	<-time.After(s.every)
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// patientFS keeps the storage from meeting a full disk: what it writes to the
// journal's folder waits for room. It could not go on without its write-ahead log
// or its manifest, and tries everything else again at once and for ever.
type patientFS struct {
	vfs.FS
	space *space
	dir   string
}

func newPatientFS(fs vfs.FS, s *space, dir string) patientFS {
	return patientFS{FS: fs, space: s, dir: fs.PathDir(fs.PathJoin(dir, "any"))}
}

// until tries to make a file until the disk has room for it. A file elsewhere, as
// of a checkpoint, is somebody's who can be told.
func (fs patientFS) until(name string, try func() (vfs.File, error)) (vfs.File, error) {
	if fs.PathDir(name) != fs.dir {
		return try()
	}
	for {
		file, err := try()
		switch {
		case err == nil:
			return &patientFile{File: file, space: fs.space}, nil
		case !isFull(err):
			return nil, err
		}
		fs.space.noRoom()
	}
}

func (fs patientFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.until(name, func() (vfs.File, error) { return fs.FS.Create(name, category) })
}

func (fs patientFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.until(name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, category, o...) })
}

func (fs patientFS) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.until(newName, func() (vfs.File, error) { return fs.FS.ReuseForWrite(oldName, newName, category) })
}

func (fs patientFS) Rename(oldName, newName string) error {
	_, err := fs.until(newName, func() (vfs.File, error) { return nil, fs.FS.Rename(oldName, newName) })
	return err
}

// patientFile waits for room for what is written to it.
type patientFile struct {
	vfs.File
	space *space
}

func (f *patientFile) Write(p []byte) (written int, err error) {
	for {
		n, err := f.File.Write(p[written:])
		if written += n; !isFull(err) {
			return written, err
		}
		f.space.noRoom()
	}
}

func (f *patientFile) WriteAt(p []byte, offset int64) (written int, err error) {
	for {
		n, err := f.File.WriteAt(p[written:], offset+int64(written))
		if written += n; !isFull(err) {
			return written, err
		}
		f.space.noRoom()
	}
}

func (f *patientFile) Preallocate(offset, length int64) error {
	for {
		err := f.File.Preallocate(offset, length)
		if !isFull(err) {
			return err
		}
		f.space.noRoom()
	}
}
