package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// Checkpoint puts a copy of the log into dir, which must not be there, while
// writing goes on: the log's first events without a gap, at least all that was
// acknowledged before the call. Where dir is on the journal's own file system the
// copy takes no space of its own, until the journal lets go of a file.
func (j *Journal) Checkpoint(ctx context.Context, dir string) error {
	release, err := j.reading()
	if err != nil {
		return err
	}
	defer release()
	if full := j.space.full.Load(); full != nil { // memory cannot be written out
		return full
	}
	// Tables alone are copied. A write-ahead log that is copied while it is
	// written to can have holes, which look like damage.
	flushed, err := j.db.AsyncFlush()
	if err != nil {
		return fmt.Errorf("write memory out: %w", err)
	}
	select {
	case <-flushed:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := j.db.Checkpoint(dir); err != nil {
		return fmt.Errorf("checkpoint in %s: %w", dir, err)
	}
	return dropLogs(j.space.fs, dir)
}

func dropLogs(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			err = errors.Join(err, fs.Remove(fs.PathJoin(dir, name)))
		}
	}
	return err
}

// Summary tells which log it is, and how much of it.
type Summary struct {
	LogID    uuid.UUID // id of the log's first event, zero where there is none
	Events   uint64
	Position uint64 // of the last event, 0 where there is none
}

// Inspect reads a log that nobody has open from its first event to its last,
// changing nothing. It returns a *Corruption where one of them is not what was
// written. Where progress is not nil, it is told now and then how far of the log
// it has come.
func Inspect(ctx context.Context, dir string, progress func(position, last uint64)) (s Summary, err error) {
	db, err := openReadOnly(dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	j := &Journal{db: db}
	last := uint64(0)
	err = j.scan(scanRange{from: ^uint64(0), upTo: ^uint64(0), backwards: true}, func(r Record) (bool, error) {
		last = r.Position
		return false, nil
	})
	if err != nil {
		return s, err
	}
	err = j.scan(scanRange{upTo: ^uint64(0)}, func(r Record) (bool, error) {
		if s.Events == 0 {
			s.LogID = r.ID
		}
		s.Events++
		s.Position = r.Position
		if s.Events%10_000 != 0 {
			return true, nil
		}
		if progress != nil {
			progress(r.Position, last)
		}
		return true, ctx.Err()
	})
	return s, err
}

func openReadOnly(dir string) (*pebble.DB, error) {
	return openWith(dir, &pebble.Options{
		ReadOnly:           true,
		ErrorIfNotExists:   true,
		FormatMajorVersion: pebble.FormatValueSeparation,
		Logger:             pebbleLogger{slog.New(slog.DiscardHandler)},
		EventListener: &pebble.EventListener{
			DataCorruption: func(pebble.DataCorruptionInfo) {}, // whoever reads it is told
		},
	})
}
