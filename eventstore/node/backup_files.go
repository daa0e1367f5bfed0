package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// makeEmpty makes a folder that is not there, in one that is, and tells whether it
// did. A wrong name of a disk must not become a folder beside it.
func makeEmpty(dir string) (made bool, err error) {
	if err := isEmpty(dir); err != nil {
		return false, err
	}
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("%s %w", filepath.Dir(dir), ErrNoFolder)
	}
	return err == nil, err
}

// isEmpty refuses a folder that holds something. One that is missing is empty.
func isEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s %w", dir, ErrNotEmpty)
	}
	return err
}

// ignoreMissing and ignoreNotEmpty are for removing what may not be there, or may
// be somebody else's by now.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreNotEmpty(err error) error {
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// copyFolder copies the files of a folder into an empty one.
func copyFolder(ctx context.Context, from, to string, copy copier, progress Progress) ([]File, error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	var done, total uint64
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // of one that is gone, copying will tell
			total += uint64(info.Size())
		}
	}
	files := make([]File, 0, len(entries))
	for _, e := range entries {
		f, err := copy(ctx, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		done += uint64(f.Bytes)
		progress(Copying, done, total)
	}
	return files, syncFolder(to)
}

// copier copies a file and tells what was in it.
type copier func(ctx context.Context, from, to string) (File, error)

// linkOrCopy spares the bytes where both are on one file system.
func linkOrCopy(ctx context.Context, from, to string) (File, error) {
	if os.Link(from, to) != nil {
		return copyFile(ctx, from, to)
	}
	if err := os.Chmod(to, 0o600); err != nil {
		return File{}, err
	}
	source, err := os.Open(to)
	if err != nil {
		return File{}, err
	}
	defer source.Close()
	return sum(ctx, filepath.Base(to), source, io.Discard)
}

func copyFile(ctx context.Context, from, to string) (File, error) {
	source, err := os.Open(from)
	if err != nil {
		return File{}, err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return File{}, err
	}
	f, err := sum(ctx, filepath.Base(to), source, target)
	return f, errors.Join(err, target.Sync(), target.Close())
}

func sum(ctx context.Context, name string, from io.Reader, to io.Writer) (File, error) {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(hash, to), untilDone{ctx, from})
	return File{Name: name, Bytes: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, err
}

// untilDone reads until its context ends.
type untilDone struct {
	ctx context.Context //nolint:containedctx // of the one copy that it is made for
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// syncFolder makes the names in a folder outlast a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
