package exporting

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// What an interruption can cost, at most, and has to be exported again: rows, and
// bytes before compression. Of JSON Lines and CSV it is what was written since the
// manifest was; of Parquet the part that was being written, since a Parquet file
// without its end cannot be read.
const (
	checkpointRows  = 50_000
	checkpointBytes = 16 << 20
	partRows        = 100_000
	partBytes       = 64 << 20
)

// Folder is a dataset that is being exported into a folder: one file of JSON
// Lines or CSV, or parts of Parquet, and the manifest.
type Folder struct {
	Manifest Manifest
	dir      string
	lock     *os.File

	file    *os.File // nil while there is nothing to be written
	encoder Encoder
	written counter
	key     []string // of the last row
	rows    int64    // since the last checkpoint, as is bytes
	bytes   int
	failed  bool // what is in the file since then is not known
}

// Open opens the folder for a dataset, or makes it: with mode 0700, and its files
// with 0600. An export that was interrupted is found as it was at its last
// checkpoint. It fails where the folder has another export of the dataset, and
// where another process exports into it.
func Open(dir string, want Manifest) (*Folder, error) {
	if err := checkColumns(want.Columns); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another export writes to the folder: %w", err), lock.Close())
	}
	if f.Manifest, err = loadManifest(dir, want); err == nil && len(f.Manifest.Files) == 0 {
		err = f.claim()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

// claim writes the first manifest, unless the folder has something else by the
// names that the dataset's files will have.
func (f *Folder) claim() error {
	if _, err := os.Stat(filepath.Join(f.dir, manifestName(f.Manifest.Dataset))); err == nil {
		return nil // an export that was interrupted before its first checkpoint
	}
	if _, err := os.Lstat(filepath.Join(f.dir, f.name(1))); err == nil {
		return fmt.Errorf("there is %s already, and no manifest that tells what it is; take another folder", f.name(1))
	}
	f.Manifest.Files = []File{}
	return f.Manifest.store(f.dir)
}

// name is that of the dataset's file of a number, the first being 1.
func (f *Folder) name(number int) string {
	m := &f.Manifest
	if m.Format == Parquet {
		return fmt.Sprintf("%s-%05d.parquet", m.Dataset, number)
	}
	return m.Dataset + "." + string(m.Format)
}

// ManifestPath is where the manifest is.
func (f *Folder) ManifestPath() string { return filepath.Join(f.dir, manifestName(f.Manifest.Dataset)) }

// At takes note of the moment at which the rows that follow are read.
func (f *Folder) At(m Moment) {
	if f.Manifest.From == nil {
		f.Manifest.From = &m
	}
	f.Manifest.Until = &m
}

// Write takes the next row, and the key by which it is found again.
func (f *Folder) Write(row []any, key []string) error {
	if f.file == nil {
		if err := f.begin(); err != nil {
			f.failed = true
			return err
		}
	}
	if err := f.encoder.Write(row); err != nil {
		f.failed = true
		return err
	}
	f.key = key
	f.rows++
	f.bytes += Size(row)
	if f.full() {
		return f.checkpoint()
	}
	return nil
}

func (f *Folder) full() bool {
	if f.Manifest.Format == Parquet {
		return f.rows >= partRows || f.bytes >= partBytes
	}
	return f.rows >= checkpointRows || f.bytes >= checkpointBytes
}

// begin opens the file of the next rows. Of one that goes on, it cuts off what is
// not in the manifest.
func (f *Folder) begin() (err error) {
	m := &f.Manifest
	if m.Format == Parquet {
		path := filepath.Join(f.dir, f.name(len(m.Files)+1)) + unfinished
		f.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	} else {
		f.file, err = os.OpenFile(filepath.Join(f.dir, f.name(1)), os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		return err
	}
	f.written = counter{to: f.file}
	if m.Format != Parquet {
		if err := f.goOn(); err != nil {
			return err
		}
	}
	f.encoder, err = NewEncoder(m.Format, &f.written, m.Dataset, m.Columns, f.written.bytes == 0)
	return err
}

func (f *Folder) goOn() error {
	if len(f.Manifest.Files) == 0 {
		f.Manifest.Files = []File{{Name: f.name(1)}}
	}
	file := &f.Manifest.Files[0]
	about, err := f.file.Stat()
	if err != nil {
		return err
	}
	if about.Size() < file.Bytes {
		return fmt.Errorf("%s has %d bytes, and the manifest knows of %d: it has been changed", file.Name, about.Size(), file.Bytes)
	}
	if err := f.file.Truncate(file.Bytes); err != nil {
		return err
	}
	f.written.bytes, err = f.file.Seek(file.Bytes, io.SeekStart)
	return err
}

// checkpoint has on disk what was written, and then the manifest that says so.
func (f *Folder) checkpoint() error {
	if f.file == nil {
		return f.Manifest.store(f.dir)
	}
	m := &f.Manifest
	end := f.encoder.Flush
	if m.Format == Parquet {
		end = f.encoder.Close
	}
	if err := errors.Join(end(), f.file.Sync()); err != nil {
		f.failed = true
		return err
	}
	if m.Format == Parquet {
		path := filepath.Join(f.dir, f.name(len(m.Files)+1))
		if err := errors.Join(f.file.Close(), publish(f.dir, path)); err != nil {
			return err
		}
		f.file = nil
		m.Files = append(m.Files, File{Name: filepath.Base(path)})
	}
	file := &m.Files[len(m.Files)-1]
	file.Rows += f.rows
	file.Bytes = f.written.bytes
	m.Rows += f.rows
	m.After = f.key
	f.rows, f.bytes = 0, 0
	return m.store(f.dir)
}

// Close ends the run. Also of one that failed, what was written is kept, to go on
// after it; complete says that there is nothing to go on with.
func (f *Folder) Close(complete bool) error {
	var err error
	if complete && f.file == nil && len(f.Manifest.Files) == 0 { // also what is empty has a file
		err = f.begin()
		f.failed = err != nil
	}
	f.Manifest.Complete = complete
	if !f.failed {
		err = f.checkpoint()
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	// Closing alone may come too late: a program being started elsewhere in the process
	// holds a copy of the file until it runs, and with it the lock.
	return errors.Join(err, syscall.Flock(int(f.lock.Fd()), syscall.LOCK_UN), f.lock.Close())
}

// counter counts what passes through it.
type counter struct {
	to    io.Writer
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.bytes += int64(n)
	return n, err
}
