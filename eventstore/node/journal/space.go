package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DiskFull says that a write was refused, and nothing of it done, because the
// disk has no room for more. Reads go on, and so do writes once there is room.
type DiskFull struct {
	Dir           string
	Free, Reserve uint64 // bytes
}

func (e *DiskFull) Error() string {
	return fmt.Sprintf("the disk of %s is full: %d MiB are free, and %d MiB are kept for what was written before; nothing was written",
		e.Dir, e.Free>>20, e.Reserve>>20)
}

// Writes are refused before the disk is full: what is in memory has yet to be
// written out, and compactions need room before they free any.
const (
	reserveBytes = 512 << 20
	reserveShare = 10 // at most this part of a small disk
)

// lookEvery is how often the disk's free space is looked at. A disk that takes
// a gigabyte a second has half of the reserve left by the next look.
const lookEvery = 250 * time.Millisecond

// space watches the room on the journal's disk.
type space struct {
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	every   time.Duration
	closing <-chan struct{}

	full atomic.Pointer[DiskFull] // nil: there is room
}

func newSpace(dir string, o Options, closing <-chan struct{}) *space {
	s := &space{fs: o.FS, dir: dir, log: o.Logger, every: lookEvery, closing: closing}
	if absolute, err := filepath.Abs(dir); err == nil {
		s.dir = absolute
	}
	s.look()
	return s
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

// look finds out whether there is room. Where the file system does not tell, it
// is found out by writing.
func (s *space) look() {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		if !errors.Is(err, vfs.ErrUnsupported) {
			s.log.Warn("the disk does not tell how much room it has", "error", err)
		}
		s.full.Store(nil)
		return
	}
	reserve := min(reserveBytes, usage.TotalBytes/reserveShare)
	before := s.full.Load()
	switch {
	case before == nil && usage.AvailBytes >= reserve:
	case before != nil && usage.AvailBytes >= reserve+reserve/4: // not at once the other way again
		s.full.Store(nil)
		s.log.Info("the disk has room again; writes are taken", "folder", s.dir, "free", usage.AvailBytes)
	default:
		s.refuse(&DiskFull{Dir: s.dir, Free: usage.AvailBytes, Reserve: reserve})
	}
}

func (s *space) refuse(why *DiskFull) {
	if s.full.Swap(why) == nil {
		s.log.Error("the disk is full; writes are refused until there is room, reads go on",
			"folder", s.dir, "free", why.Free, "reserve", why.Reserve)
	}
}

// noRoom is for a write that the disk did not take. It waits a moment and tells
// whether to try again.
func (s *space) noRoom(vital bool) (again bool) {
	if s.full.Load() == nil {
		s.refuse(&DiskFull{Dir: s.dir})
	}
	moment := time.NewTimer(s.every)
	defer moment.Stop()
	select {
	case <-moment.C:
		return vital
	case <-s.closing:
		return false
	}
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// patientFS keeps the storage from meeting a full disk where it could not go on
// from that: at its write-ahead log and its manifest. Writes to them wait for
// room. Others fail, which lets go of what they have written so far, and are
// tried again by the storage, a moment later.
type patientFS struct {
	vfs.FS
	space *space
	dir   string
}

func newPatientFS(fs vfs.FS, s *space, dir string) patientFS {
	return patientFS{FS: fs, space: s, dir: fs.PathDir(fs.PathJoin(dir, "any"))}
}

func (fs patientFS) vital(name string) bool {
	return fs.PathDir(name) == fs.dir && !strings.HasSuffix(name, ".sst") && !strings.HasSuffix(name, ".blob")
}

func (fs patientFS) open(name string, open func() (vfs.File, error)) (vfs.File, error) {
	vital := fs.vital(name)
	for {
		file, err := open()
		if err == nil {
			return &patientFile{File: file, space: fs.space, vital: vital}, nil
		}
		if !isFull(err) || !fs.space.noRoom(vital) {
			return nil, err
		}
	}
}

func (fs patientFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.open(name, func() (vfs.File, error) { return fs.FS.Create(name, category) })
}

func (fs patientFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.open(name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, category, o...) })
}

func (fs patientFS) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.open(newName, func() (vfs.File, error) { return fs.FS.ReuseForWrite(oldName, newName, category) })
}

func (fs patientFS) Rename(oldName, newName string) error {
	for {
		err := fs.FS.Rename(oldName, newName)
		if err == nil || !isFull(err) || !fs.space.noRoom(fs.vital(newName)) {
			return err
		}
	}
}

type patientFile struct {
	vfs.File
	space *space
	vital bool
}

func (f *patientFile) Write(p []byte) (written int, err error) {
	for {
		n, err := f.File.Write(p[written:])
		written += n
		if err == nil || !isFull(err) || !f.space.noRoom(f.vital) {
			return written, err
		}
	}
}

func (f *patientFile) WriteAt(p []byte, offset int64) (written int, err error) {
	for {
		n, err := f.File.WriteAt(p[written:], offset+int64(written))
		written += n
		if err == nil || !isFull(err) || !f.space.noRoom(f.vital) {
			return written, err
		}
	}
}

func (f *patientFile) Preallocate(offset, length int64) error {
	for {
		err := f.File.Preallocate(offset, length)
		if err == nil || !isFull(err) || !f.space.noRoom(f.vital) {
			return err
		}
	}
}
