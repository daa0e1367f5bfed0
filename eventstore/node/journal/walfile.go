package journal

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// zeroingFS creates write-ahead logs that are filled with zeros ahead of what is
// written to them. A sync then has only the data to write: where the file grew
// instead, each sync would wait for the file system's own journal too, which
// takes about as long again. Pebble reuses its logs, so that this matters from
// the start of a process until its first few logs have been used.
type zeroingFS struct{ vfs.FS }

// zeroAhead is how far ahead zeros are written: a few thousand events.
const zeroAhead = 1 << 20

var zeros = make([]byte, zeroAhead)

func (fs zeroingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return fs.FS.Create(name, category)
	}
	file, err := fs.FS.OpenReadWrite(name, category)
	if err != nil {
		return nil, err
	}
	return &zeroingFile{File: file}, nil
}

// zeroingFile is written to from its start on, by one goroutine.
type zeroingFile struct {
	vfs.File
	written, zeroed int64
}

func (f *zeroingFile) Write(p []byte) (int, error) {
	if end := f.written + int64(len(p)); end > f.zeroed {
		from := max(f.zeroed, end) // what p covers needs no zeros
		if _, err := f.WriteAt(zeros, from); err != nil {
			return 0, err
		}
		f.zeroed = from + zeroAhead
	}
	n, err := f.File.Write(p)
	f.written += int64(n)
	return n, err
}
