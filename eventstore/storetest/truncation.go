package storetest

import (
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// What a stream shows begins at the highest of $tb and last - $maxCount + 1,
// and events older than $maxAge are left out. $all shows everything.
func truncationTests() []test {
	return []test{
		{"$maxCount shows the last events", maxCount},
		{"$maxCount moves on with the stream", maxCountMoves},
		{"$maxCount above the number of events hides none", maxCountAbove},
		{"$tb hides the events before it", truncateBefore},
		{"$tb beyond the last event leaves an empty stream that exists", truncateAll},
		{"the stronger of $tb and $maxCount counts", strongerCounts},
		{"a revision that is hidden is stepped over, in both directions", readFromHidden},
		{"$maxAge in the future of every event hides none", maxAgeLong},
		{"$maxAge hides events once they are older", maxAgeShort},
		{"$all shows hidden events", allShowsHidden},
		{"hidden events still count for expected revisions", hiddenStillCount},
	}
}

func lastFirst(from esdb.StreamPosition) esdb.ReadStreamOptions {
	return esdb.ReadStreamOptions{Direction: esdb.Backwards, From: from}
}

func maxCount(h *harness) {
	stream, _ := h.existing(10)
	h.setMetadata(stream, `{"$maxCount":3}`)
	h.wantRevisions(h.read(stream), 7, 8, 9)
	h.wantRevisions(h.readWith(stream, lastFirst(esdb.End{}), everything), 9, 8, 7)
}

func maxCountMoves(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$maxCount":2}`)
	h.wantRevisions(h.read(stream), 1, 2)
	h.append(stream, esdb.Revision(2), events(3)...)
	h.wantRevisions(h.read(stream), 4, 5)
}

func maxCountAbove(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$maxCount":3}`)
	h.wantRevisions(h.read(stream), 0, 1, 2)
	h.setMetadata(stream, `{"$maxCount":100}`)
	h.wantRevisions(h.read(stream), 0, 1, 2)
}

func truncateBefore(h *harness) {
	stream, _ := h.existing(6)
	h.setMetadata(stream, `{"$tb":4}`)
	h.wantRevisions(h.read(stream), 4, 5)
	h.wantRevisions(h.readWith(stream, lastFirst(esdb.End{}), everything), 5, 4)
}

func truncateAll(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$tb":3}`)
	h.wantRevisions(h.read(stream))
	h.wantRevisions(h.readWith(stream, lastFirst(esdb.End{}), everything))
	if got := h.append(stream, esdb.StreamExists{}, events(1)...).NextExpectedVersion; got != 3 {
		h.Fatalf("current revision %d, want 3", got)
	}
	h.wantRevisions(h.read(stream), 3)
}

func strongerCounts(h *harness) {
	stream, _ := h.existing(10)
	h.setMetadata(stream, `{"$tb":4,"$maxCount":3}`)
	h.wantRevisions(h.read(stream), 7, 8, 9)
	h.setMetadata(stream, `{"$tb":8,"$maxCount":3}`)
	h.wantRevisions(h.read(stream), 8, 9)
}

func readFromHidden(h *harness) {
	stream, _ := h.existing(10)
	h.setMetadata(stream, `{"$tb":6}`)
	h.wantRevisions(h.readWith(stream, esdb.ReadStreamOptions{From: esdb.Revision(2)}, 3), 6, 7, 8)
	h.wantRevisions(h.readWith(stream, esdb.ReadStreamOptions{From: esdb.Start{}}, 1), 6)
	h.wantRevisions(h.readWith(stream, lastFirst(esdb.Revision(7)), everything), 7, 6)
	h.wantRevisions(h.readWith(stream, lastFirst(esdb.Revision(5)), everything))
}

func maxAgeLong(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$maxAge":31536000}`)
	h.wantRevisions(h.read(stream), 0, 1, 2)
}

// The seconds that $maxAge counts have to pass, so this test asks until they
// have.
func maxAgeShort(h *harness) {
	stream, _ := h.existing(3)
	h.setMetadata(stream, `{"$maxAge":1}`)
	ask := time.NewTicker(50 * time.Millisecond)
	defer ask.Stop()
	for len(h.read(stream)) > 0 || len(h.readWith(stream, lastFirst(esdb.End{}), everything)) > 0 {
		select {
		case <-ask.C:
		case <-h.ctx.Done():
			h.Fatal("events older than $maxAge are still shown")
		}
	}
	// The stream is empty, not gone, and its numbering goes on.
	if got := h.append(stream, esdb.Revision(2), events(1)...).NextExpectedVersion; got != 3 {
		h.Fatalf("current revision %d, want 3", got)
	}
}

func allShowsHidden(h *harness) {
	from := h.mark()
	stream, proposed := h.existing(5)
	h.setMetadata(stream, `{"$tb":5,"$maxCount":1}`)
	h.wantEvents(ofStream(stream, h.readAll(esdb.ReadAllOptions{From: from}, everything)), proposed)
}

func hiddenStillCount(h *harness) {
	stream, _ := h.existing(5)
	h.setMetadata(stream, `{"$maxCount":1}`)
	_, err := h.tryAppend(stream, esdb.Revision(0), events(1)...)
	h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
	if got := h.append(stream, esdb.Revision(4), events(1)...).NextExpectedVersion; got != 5 {
		h.Fatalf("current revision %d, want 5", got)
	}
}
