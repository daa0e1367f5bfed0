package journal

import (
	"encoding/binary"
	"slices"
)

const (
	prefixEvent  = 'e'
	prefixStream = 's'
	prefixName   = 'n'
	prefixGone   = 't'
)

func eventKey(position uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixEvent}, position)
}

func eventPosition(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

func streamKey(id, revision uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{prefixStream}, id), revision)
}

// streamEnd sorts after every revision of the stream.
func streamEnd(id uint64) []byte {
	return append(streamKey(id, ^uint64(0)), 0)
}

func streamRevision(key []byte) uint64 { return binary.BigEndian.Uint64(key[9:]) }

func nameKey(stream string) []byte {
	return append([]byte{prefixName}, stream...)
}

// tombstoneKey marks a tombstoned stream whose events have not been deleted yet.
func tombstoneKey(stream string) []byte {
	return append([]byte{prefixGone}, stream...)
}

// after is the first key that does not begin with the prefix, whose last byte is
// not 0xff.
func after(prefix []byte) []byte {
	end := slices.Clone(prefix)
	end[len(end)-1]++
	return end
}

func encodePosition(position uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, position)
}
