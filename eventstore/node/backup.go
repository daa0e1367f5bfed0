package node

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node/journal"
)

// Backup is what a backup says of itself. It is written last: a folder without it
// holds no backup.
type Backup struct {
	Format   int        `json:"format"`
	LogID    *uuid.UUID `json:"logId"`    // id of the log's first event, null where it has none
	Events   uint64     `json:"events"`   // that are in it
	Position string     `json:"position"` // of the last of them
	TakenAt  time.Time  `json:"takenAt"`  // what was acknowledged before is in it
	Files    []File     `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is how large the backup is.
func (b *Backup) Bytes() (total int64) {
	for _, f := range b.Files {
		total += f.Bytes
	}
	return total
}

const (
	backupFormat = 1
	backupName   = "backup.json"
	logName      = "log"

	restoringName = "restoring" // what becomes the log of a data folder once it is whole
)

// ErrNotEmpty says that a folder holds something already.
var ErrNotEmpty = errors.New("is not empty")

// ErrNoFolder says that the folder is missing that another one was to be made in.
var ErrNoFolder = errors.New("is not there")

// ErrServed says that a folder is in use: by a node, or by another restore.
var ErrServed = errors.New("is in use")

// Progress is told how far a step has come: bytes copied, or positions read, and
// how many there are.
type Progress func(step Step, done, total uint64)

// Step is a step of a backup or of a restore.
type Step string

// The steps, in their order.
const (
	Copying Step = "copying"
	Reading Step = "reading"
)

// TakeBackup copies the log that a node serves from the data folder into another
// folder, which must be empty, or missing from a folder that is there, while the node
// goes on. The copy has at least all that was acknowledged before the call, and has
// been read from end to end. On the file system of the data folder the two share
// their files, which nobody changes. Where it fails, what it wrote is gone.
func TakeBackup(ctx context.Context, a Access, data, to string, progress Progress) (b *Backup, err error) {
	made, err := makeEmpty(to)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && made {
			err = errors.Join(err, ignoreNotEmpty(os.Remove(to))) // or else somebody has put something into it
		}
	}()
	b = &Backup{Format: backupFormat, TakenAt: time.Now().UTC().Truncate(time.Second)}
	folder, done, err := checkpoint(ctx, a, data, checkpointLimit)
	if err != nil {
		return nil, err
	}
	defer done()
	copied := filepath.Join(to, logName)
	if err := os.Mkdir(copied, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(copied), ignoreMissing(os.Remove(filepath.Join(to, backupName))))
		}
	}()
	if b.Files, err = copyFolder(ctx, folder, copied, linkOrCopy, progress); err != nil {
		return nil, err
	}
	if err := b.inspect(ctx, copied, progress); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := writePrivate(filepath.Join(to, backupName), append(text, '\n')); err != nil {
		return nil, err
	}
	return b, errors.Join(syncFolder(to), syncFolder(filepath.Dir(to)))
}

// inspect reads the log in dir and notes what it is.
func (b *Backup) inspect(ctx context.Context, dir string, progress Progress) error {
	s, err := journal.Inspect(ctx, dir, func(position, last uint64) { progress(Reading, position, last) })
	if err != nil {
		return err
	}
	progress(Reading, s.Position, s.Position)
	if s.Events > 0 {
		b.LogID = &s.LogID
	}
	b.Events = s.Events
	b.Position = eventstore.Position{Commit: s.Position, Prepare: s.Position}.String()
	return os.Remove(filepath.Join(dir, "LOCK")) // which reading has left
}
