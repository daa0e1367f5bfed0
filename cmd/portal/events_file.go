package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// exportFile is a file of events, as JSON Lines.
type exportFile struct {
	*os.File
	regular bool
}

// openExport opens the file, or makes it, for this process alone.
func openExport(path string) (*exportFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, misusef("--output: %w", err)
	}
	about, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x := &exportFile{File: f, regular: about.Mode().IsRegular()}
	if !x.regular {
		return x, nil // such as a pipe: it has no end to go on from
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another export writes to it: %w", path, err), f.Close())
	}
	return x, nil
}

// resume finds the last event of the file, nil where there is none, and cuts off
// what an interruption left of a line. It fails for a file that is something else.
func (f *exportFile) resume() (*eventLine, error) {
	if !f.regular {
		return nil, nil
	}
	line, end, err := f.lastLine()
	if err != nil {
		return nil, err
	}
	var last *eventLine
	if line != nil {
		last = &eventLine{}
		if json.Unmarshal(line, last) != nil || last.Position == "" || last.Stream == "" {
			return nil, errNoExport
		}
	}
	// Sealed or not, it is nobody else's business.
	if err := f.Chmod(0o600); err != nil {
		return nil, err
	}
	if err := f.Truncate(end); err != nil {
		return nil, err
	}
	_, err = f.Seek(end, io.SeekStart)
	return last, err
}

var errNoExport = errors.New("there is something else in it than events that were exported")

// maxLine bounds a line: an event of MaxAppendSize, escaped or in base64.
const maxLine = 8 << 20

// lastLine returns the last whole line, nil where there is none, and where it
// ends.
func (f *exportFile) lastLine() (line []byte, end int64, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, err
	}
	var tail []byte
	for from := size; from > 0 && len(tail) < 2*maxLine; {
		piece := make([]byte, min(from, 1<<20))
		from -= int64(len(piece))
		if _, err := f.ReadAt(piece, from); err != nil {
			return nil, 0, err
		}
		tail = append(piece, tail...)
		newline := bytes.LastIndexByte(tail, '\n')
		if newline < 0 {
			continue
		}
		before := bytes.LastIndexByte(tail[:newline], '\n')
		if before >= 0 || from == 0 {
			return tail[before+1 : newline], from + int64(newline) + 1, nil
		}
	}
	// A single line that was interrupted begins as all of them do.
	if begin := []byte(`{"position":`); int64(len(tail)) < size || !bytes.HasPrefix(tail, begin[:min(len(begin), len(tail))]) {
		return nil, 0, errNoExport
	}
	return nil, 0, nil
}

// Sync has the events on disk, where the file is on one.
func (f *exportFile) Sync() error {
	if !f.regular {
		return nil
	}
	return f.File.Sync()
}
