package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node/journal"
)

// Restore puts the log of a backup into a data folder that has none. It is there
// whole, and as the backup says, or not at all. One event is added, to
// eventstore.RestoresStream: what is appended from then on takes positions that
// events which the backup lacks may have had.
func Restore(ctx context.Context, from, data string, progress Progress) (*Backup, error) {
	b, err := readBackup(from)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	release, err := claim(ctx, data)
	if err != nil {
		return nil, err
	}
	defer release()
	target, staged := filepath.Join(data, logName), filepath.Join(data, restoringName)
	if err := isEmpty(target); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(staged); err != nil { // what an interrupted restore has left
		return nil, err
	}
	err = b.restoreTo(ctx, filepath.Join(from, logName), staged, progress)
	if err == nil {
		err = b.note(ctx, staged)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(staged))
	}
	if err := os.Rename(staged, target); err != nil {
		return nil, errors.Join(err, os.RemoveAll(staged))
	}
	return b, syncFolder(data)
}

// removeRestoring takes away what a restore has left that was killed. One that is at
// work keeps it, and will find that there is a log by now.
func removeRestoring(data string) error {
	staged := filepath.Join(data, restoringName)
	if _, err := os.Lstat(staged); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	folder, err := os.Open(data)
	if err != nil {
		return err
	}
	defer folder.Close()
	if syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil
	}
	return os.RemoveAll(staged)
}

// claim keeps other restores away from a data folder, and refuses one whose node
// answers: its log may be gone from its place and yet be written to.
func claim(ctx context.Context, data string) (release func(), err error) {
	folder, err := os.Open(data)
	if err != nil {
		return nil, err
	}
	release = func() { _ = folder.Close() } // it was only held
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		release()
		return nil, fmt.Errorf("%s %w by another restore", data, ErrServed)
	}
	a, err := Discover(data)
	switch {
	case errors.Is(err, ErrNoNode):
		return release, nil
	case err == nil && !a.answers(ctx): // it was killed
		return release, nil
	case err == nil:
		err = fmt.Errorf("%s %w by the node at %s", data, ErrServed, a.Address)
	}
	release()
	return nil, err
}

const claimLimit = 2 * time.Second

// answers tells whether somebody listens at the node's address.
func (a Access) answers(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: claimLimit}
	conn, err := dialer.DialContext(ctx, "tcp", a.Address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said
	return true
}

func readBackup(dir string) (*Backup, error) {
	path := filepath.Join(dir, backupName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no finished backup: %s is missing", dir, backupName)
	}
	if err != nil {
		return nil, err
	}
	b := &Backup{}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if b.Format != backupFormat {
		return nil, fmt.Errorf("%s: format %d is unknown; this program knows %d", path, b.Format, backupFormat)
	}
	for _, f := range b.Files {
		if f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) || f.Name == "." {
			return nil, fmt.Errorf("%s: files: %q is no name of a file", path, f.Name)
		}
	}
	return b, nil
}

// restoreTo copies the files, compares them with what the backup says of them,
// and reads the log.
func (b *Backup) restoreTo(ctx context.Context, from, to string, progress Progress) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	done, total := uint64(0), uint64(b.Bytes())
	for _, want := range b.Files {
		got, err := copyFile(ctx, filepath.Join(from, want.Name), filepath.Join(to, want.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the backup is damaged: %s is missing", want.Name)
		}
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("the backup is damaged: %s has %d bytes and checksum %s, had %d and %s",
				want.Name, got.Bytes, got.SHA256, want.Bytes, want.SHA256)
		}
		done += uint64(got.Bytes)
		progress(Copying, done, total)
	}
	if err := syncFolder(to); err != nil {
		return err
	}
	restored := &Backup{}
	if err := restored.inspect(ctx, to, progress); err != nil {
		return err
	}
	sameLog := (b.LogID == nil) == (restored.LogID == nil) && (b.LogID == nil || *b.LogID == *restored.LogID)
	if !sameLog || restored.Events != b.Events || restored.Position != b.Position {
		return fmt.Errorf("the backup is damaged: it has %d events up to position %s, and says that it has %d up to position %s",
			restored.Events, restored.Position, b.Events, b.Position)
	}
	return nil
}

// note writes into a restored log that it was. An empty log has no positions that
// anybody could know.
func (b *Backup) note(ctx context.Context, dir string) error {
	if b.Events == 0 {
		return nil
	}
	data, err := json.Marshal(map[string]any{"position": b.Position, "takenAt": b.TakenAt})
	if err != nil {
		return err
	}
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		return err
	}
	e := journal.Event{ID: uuid.New(), Type: "$restored", JSON: true, Data: data}
	_, err = j.Append(ctx, eventstore.RestoresStream, journal.Any, []journal.Event{e})
	return errors.Join(err, j.Close())
}
