package storetest

import (
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A tombstone ends a stream for good.
func tombstoneTests() []test {
	return []test{
		{"reads of a tombstoned stream fail, with trailers", readOfTombstoned},
		{"writes to a tombstoned stream fail", writeToTombstoned},
		{"the tombstone is the last event of the stream, in $all", tombstoneInAll},
		{"$all keeps the events of a tombstoned stream", allKeepsTombstoned},
		{"the metadata of a tombstoned stream are gone for readers", metadataOfTombstoned},
		{"a soft-deleted stream can be tombstoned", tombstoneAfterDelete},
		{"a tombstone keeps a name from being used", tombstoneOfMissing},
	}
}

func readOfTombstoned(h *harness) {
	stream, _ := h.existing(3)
	h.tombstone(stream, esdb.Revision(2))
	h.wantDeleted(stream)
	for _, options := range [][]readOption{{}, {backwards, fromEnd}, {fromRevision(1)}, {showingEnds}, {fromRevision(99)}} {
		answers, trailer, err := h.answers(readStreamRequest(stream, options...))
		if status.Code(err) != codes.FailedPrecondition || len(answers) > 0 {
			h.Fatalf("%v and %v, want FailedPrecondition alone", answers, err)
		}
		if first(trailer, "exception") != "stream-deleted" || first(trailer, "stream-name") != stream {
			h.Errorf("trailers %v", trailer)
		}
	}
}

func (h *harness) wantDeleted(stream string) {
	h.Helper()
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		_, err := h.tryRead(stream, esdb.ReadStreamOptions{Direction: direction, From: endOf(direction)}, 1)
		h.wantCode(err, esdb.ErrorCodeStreamDeleted)
	}
}

func writeToTombstoned(h *harness) {
	stream, proposed := h.existing(1)
	h.tombstone(stream, esdb.Any{})
	for _, again := range [][]esdb.EventData{events(1), proposed} { // a repeat is no exception
		_, err := h.tryAppend(stream, esdb.NoStream{}, again...)
		h.wantCode(err, esdb.ErrorCodeStreamDeleted)
	}
	_, err := h.client.DeleteStream(h.ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
	h.wantCode(err, esdb.ErrorCodeStreamDeleted)
	_, err = h.client.TombstoneStream(h.ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	h.wantCode(err, esdb.ErrorCodeStreamDeleted)
}

func tombstoneInAll(h *harness) {
	stream, _ := h.existing(2)
	at := h.tombstone(stream, esdb.Any{})
	read := h.readAll(esdb.ReadAllOptions{From: at}, 1)
	if len(read) != 1 {
		h.Fatal("nothing at the position of the tombstone")
	}
	e := read[0].Event
	h.wantPosition("the tombstone", e.Position, at)
	if e.StreamID != stream || e.EventType != "$streamDeleted" || len(e.Data) != 0 {
		h.Errorf("a %s with data %q in stream %s", e.EventType, e.Data, e.StreamID)
	}
	if e.EventNumber != math.MaxInt64 {
		h.Errorf("revision %d, want the highest there is", e.EventNumber)
	}
}

func allKeepsTombstoned(h *harness) {
	from := h.mark()
	stream, proposed := h.existing(3)
	h.tombstone(stream, esdb.Any{})
	read := ofStream(stream, h.readAll(esdb.ReadAllOptions{From: from}, everything))
	if len(read) != 4 {
		h.Fatalf("%d events in $all, want 3 and the tombstone", len(read))
	}
	h.wantEvents(read[:3], proposed)
}

func metadataOfTombstoned(h *harness) {
	stream, _ := h.existing(1)
	h.setMetadata(stream, `{"$maxCount":10}`)
	h.tombstone(stream, esdb.Any{})
	h.wantDeleted("$$" + stream)
}

func tombstoneAfterDelete(h *harness) {
	stream, _ := h.existing(3)
	h.delete(stream, esdb.Any{})
	h.tombstone(stream, esdb.Revision(2))
	h.wantDeleted(stream)
}

func tombstoneOfMissing(h *harness) {
	stream := h.stream()
	h.tombstone(stream, esdb.NoStream{})
	h.wantDeleted(stream)
	_, err := h.tryAppend(stream, esdb.NoStream{}, events(1)...)
	h.wantCode(err, esdb.ErrorCodeStreamDeleted)
}
