package storetest

import (
	"encoding/json"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

// A soft delete hides what a stream holds; the stream may be written again, and
// its numbering goes on.
func deleteTests() []test {
	return []test{
		{"a soft-deleted stream is not found", deletedIsNotFound},
		{"a soft delete is a metadata event that truncates before the highest number", deleteIsMetadata},
		{"a soft delete answers with the position of its metadata event", deletePosition},
		{"an append revives the stream, and numbering goes on", appendRevives},
		{"a revived stream truncates before its first new event", revivalMetadata},
		{"delete and revival can be repeated", deleteAgainAndAgain},
		{"$all keeps the events of a soft-deleted stream", allKeepsDeleted},
		{"truncating before the highest number by hand is a soft delete", deleteByHand},
		{"metadata written to a soft-deleted stream revives it without its old events", metadataRevives},
		{"a soft delete drops the metadata that were there", deleteDropsMetadata},
	}
}

func deletedIsNotFound(h *harness) {
	stream, _ := h.existing(3)
	h.delete(stream, esdb.Revision(2))
	h.wantNoStream(stream)
	answers := h.mustAnswer(readStreamRequest(stream, showingEnds))
	if len(answers) != 1 || string(answers[0].GetStreamNotFound().GetStreamIdentifier().GetStreamName()) != stream {
		h.Fatalf("%v, want stream-not-found alone", answers)
	}
}

func deleteIsMetadata(h *harness) {
	stream, _ := h.existing(3)
	h.delete(stream, esdb.Any{})
	read := h.read("$$" + stream)
	h.wantRevisions(read, 0)
	if e := read[0].Event; e.EventType != "$metadata" || e.ContentType != "application/json" {
		h.Errorf("type %q, content type %q", e.EventType, e.ContentType)
	}
	h.wantMetadata(stream, map[string]int64{"$tb": math.MaxInt64})
}

// wantMetadata checks a stream's metadata, which must be numbers all.
func (h *harness) wantMetadata(stream string, want map[string]int64) {
	h.Helper()
	read := h.readWith("$$"+stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if len(read) != 1 {
		h.Fatalf("%d metadata events, want the latest", len(read))
	}
	var got map[string]int64
	if err := json.Unmarshal(read[0].Event.Data, &got); err != nil {
		h.Fatalf("metadata %s: %v", read[0].Event.Data, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Fatalf("metadata (-want +got):\n%s", diff)
	}
}

func deletePosition(h *harness) {
	stream, _ := h.existing(1)
	at := h.delete(stream, esdb.Any{})
	h.wantPosition("the delete", at, h.read("$$" + stream)[0].Event.Position)
}

func appendRevives(h *harness) {
	for _, expected := range []esdb.ExpectedRevision{esdb.Any{}, esdb.NoStream{}, esdb.Revision(2)} {
		stream, _ := h.existing(3)
		h.delete(stream, esdb.Any{})
		proposed := events(2)
		if got := h.append(stream, expected, proposed...).NextExpectedVersion; got != 4 {
			h.Fatalf("expecting %T: current revision %d, want 4", expected, got)
		}
		read := h.read(stream)
		h.wantRevisions(read, 3, 4)
		h.wantEvents(read, proposed)
		h.wantRevisions(h.readWith(stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 10), 4, 3)
	}
}

func revivalMetadata(h *harness) {
	stream, _ := h.existing(3)
	h.delete(stream, esdb.Any{})
	h.append(stream, esdb.Any{}, events(2)...)
	h.wantMetadata(stream, map[string]int64{"$tb": 3})
}

func deleteAgainAndAgain(h *harness) {
	stream := h.stream()
	for round := range uint64(4) {
		proposed := events(2)
		h.append(stream, esdb.NoStream{}, proposed...)
		read := h.read(stream)
		h.wantRevisions(read, 2*round, 2*round+1)
		h.wantEvents(read, proposed)
		h.delete(stream, esdb.Revision(2*round+1))
		h.wantNoStream(stream)
	}
}

func allKeepsDeleted(h *harness) {
	from := h.mark()
	stream, proposed := h.existing(3)
	h.delete(stream, esdb.Any{})
	read := h.readAll(esdb.ReadAllOptions{From: from}, everything)
	h.wantEvents(ofStream(stream, read), proposed)
}

func deleteByHand(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$tb":9223372036854775807}`)
	h.wantNoStream(stream)
	_, err := h.tryAppend(stream, esdb.StreamExists{}, events(1)...)
	h.wantCode(err, esdb.ErrorCodeStreamDeleted)
	if got := h.append(stream, esdb.NoStream{}, events(1)...).NextExpectedVersion; got != 3 {
		h.Fatalf("current revision %d, want 3", got)
	}
}

func metadataRevives(h *harness) {
	stream, _ := h.existing(3)
	h.delete(stream, esdb.Any{})
	h.setMetadata(stream, `{"$maxCount":100}`)
	if read := h.read(stream); len(read) != 0 {
		h.Fatalf("%d old events came back", len(read))
	}
	h.wantMetadata(stream, map[string]int64{"$maxCount": 100, "$tb": 3})
	h.append(stream, esdb.StreamExists{}, events(1)...)
	h.wantRevisions(h.read(stream), 3)
}

func deleteDropsMetadata(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$maxCount":1}`)
	h.delete(stream, esdb.Any{})
	h.append(stream, esdb.Any{}, events(3)...)
	h.wantMetadata(stream, map[string]int64{"$tb": 3})
	h.wantRevisions(h.read(stream), 3, 4, 5)
}
