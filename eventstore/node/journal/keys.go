package journal

import "encoding/binary"

const (
	prefixEvent  = 'e'
	prefixStream = 's'
	prefixName   = 'n'
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

func encodePosition(position uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, position)
}
