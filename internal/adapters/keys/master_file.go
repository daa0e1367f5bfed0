package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile bounds what is read as a file of keys, in bytes.
const maxFile = 4096

// readOrCreate returns the text of the master key's file. Of several processes
// that find none, one makes it, and the others read what that one made.
func readOrCreate(path string) (string, error) {
	text, err := readPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if err := putIfAbsent(path, newMasterText()); err != nil {
		return "", err
	}
	return readPrivate(path)
}

// readPrivate refuses a file that others can read: whoever could has the keys.
func readPrivate(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("%s has mode %04o and must have 0600: others can use it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(text), err
}

// putIfAbsent puts a whole, durable file in place, or leaves the one that is there.
func putIfAbsent(path, text string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(dir, "."+FileName+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if err := writeDurably(draft, text); err != nil {
		return err
	}
	// A link, unlike a renaming, never replaces a key that is already in use.
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func writeDurably(f *os.File, text string) error {
	_, err := f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
