// Package journal is the embedded node's storage: one ordered log of events on
// Pebble, with an index by stream.
//
// There is one writer. Requests that arrive together are decided in order,
// written as one Pebble batch, and answered after the fsync that covers them;
// the next batch is prepared while the previous one syncs. Every answer, a
// refusal's and a repeat's too, waits for the sync of what it was decided on,
// and no reader sees an event before it is durable.
//
// Four key spaces share one Pebble database, so that a commit is atomic:
//
//	e <position>            the record: everything known of one event
//	s <stream id><revision> its position
//	n <stream name>         the stream's id, which is the position of its first event
//	t <stream name>         nothing: the stream is tombstoned and has events to be deleted
//
// Numbers are big-endian, so that keys sort as numbers do. Only events are
// stored: a stream's last revision, its metadata and whether it is deleted are
// read off its events.
//
// Events that can no longer be read from their stream are deleted in the
// background (retention.go); those that remain keep their positions and
// revisions.
package journal
