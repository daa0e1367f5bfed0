package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// highWater is a file that names the last position acknowledged. It is written
// after each sync and not synced itself: it can lag behind the log after a
// power cut, never run ahead. What it adds is that a damaged end of the
// write-ahead log, which alone would pass for a torn tail, is found to have cut
// off acknowledged events.
type highWater struct {
	file     vfs.File
	position uint64
}

const highWaterName = "HIGHWATER"

func openHighWater(fs vfs.FS, dir string) (*highWater, error) {
	path := fs.PathJoin(dir, highWaterName)
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	h := &highWater{file: file}
	var b [12]byte
	switch n, err := file.ReadAt(b[:], 0); {
	case n == 0 && errors.Is(err, io.EOF), n == len(b) && b == [12]byte{}:
		return h, nil // new, or never reached the disk before a power cut
	case n < len(b):
		return nil, errors.Join(&Corruption{Where: path, Err: errors.Join(errTooShort, err)}, file.Close())
	case crc32.Checksum(b[:8], castagnoli) != binary.BigEndian.Uint32(b[8:]):
		return nil, errors.Join(&Corruption{Where: path, Err: errChecksum}, file.Close())
	}
	h.position = binary.BigEndian.Uint64(b[:8])
	return h, nil
}

// raise notes a position. A failure is not worth an append that is on disk: the
// mark stays behind, which is its normal state after a power cut.
func (h *highWater) raise(position uint64) {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], position)
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	if _, err := h.file.WriteAt(b[:], 0); err == nil {
		h.position = position
	}
}

func (h *highWater) Close() error { return h.file.Close() }
