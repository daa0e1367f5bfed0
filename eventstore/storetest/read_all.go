package storetest

import (
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func readAllTests() []test {
	return []test{
		{"forwards, an event is read from its own position", forwardsIncludes},
		{"backwards, reading from a position leaves its event out", backwardsExcludes},
		{"forwards from the end and backwards from the start there is nothing", nothingBeyond},
		{"from the start, positions rise", fromStartRises},
		{"from the end backwards, positions fall, and the newest is first", fromEndFalls},
		{"forwards and backwards show the same events", bothWaysTheSame},
		{"events come in the order of their appends", orderOfAppends},
		{"system events are shown", systemEventsShown},
		{"no more events come than were asked for", countIsKept},
		{"a position beyond the end is the end", beyondTheEnd},
		{"each event says its commit position", commitPositionSaid},
	}
}

func forwardsIncludes(h *harness) {
	stream, proposed := h.existing(3)
	for i, e := range h.read(stream) {
		read := h.readAll(esdb.ReadAllOptions{From: e.Event.Position}, 1)
		h.wantEvents(read, proposed[i:i+1])
	}
}

func backwardsExcludes(h *harness) {
	stream, proposed := h.existing(3)
	read := h.read(stream)
	for i := 1; i < len(read); i++ { // the events of one append follow each other
		got := h.readAll(esdb.ReadAllOptions{Direction: esdb.Backwards, From: read[i].Event.Position}, 1)
		h.wantEvents(got, proposed[i-1:i])
	}
}

func nothingBeyond(h *harness) {
	// Others may be writing, so what was the end may be it no longer.
	end := h.mark()
	for _, e := range h.readAll(esdb.ReadAllOptions{From: esdb.End{}}, 10) {
		if at := e.OriginalEvent().Position; !before(end, at) {
			h.Errorf("after the end comes %v, and %v was appended before", at, end)
		}
	}
	if got := h.readAll(esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.Start{}}, 10); len(got) > 0 {
		h.Errorf("%d events before the start", len(got))
	}
}

func fromStartRises(h *harness) {
	h.existing(40)
	read := h.readAll(esdb.ReadAllOptions{From: esdb.Start{}}, 100)
	if len(read) < 40 {
		h.Fatalf("%d events, and at least 40 were appended", len(read))
	}
	for i := 1; i < len(read); i++ {
		if a, b := read[i-1].OriginalEvent().Position, read[i].OriginalEvent().Position; !before(a, b) {
			h.Fatalf("%v does not come after %v", b, a)
		}
	}
}

func fromEndFalls(h *harness) {
	at := h.mark()
	read := h.readAll(esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 100)
	if newest := read[0].OriginalEvent().Position; before(newest, at) {
		h.Errorf("the newest event is at %v, and one was appended at %v", newest, at)
	}
	for i := 1; i < len(read); i++ {
		if a, b := read[i-1].OriginalEvent().Position, read[i].OriginalEvent().Position; !before(b, a) {
			h.Fatalf("%v does not come before %v", b, a)
		}
	}
}

func bothWaysTheSame(h *harness) {
	from := h.mark()
	for range 5 {
		h.existing(60)
	}
	to := h.mark()
	forwards := h.readAll(esdb.ReadAllOptions{From: from}, everything)
	end := slices.IndexFunc(forwards, func(e *esdb.ResolvedEvent) bool { return e.OriginalEvent().Position == to })
	if end < 0 {
		h.Fatal("the last event was not read")
	}
	backwards := h.readAll(esdb.ReadAllOptions{Direction: esdb.Backwards, From: to}, uint64(end))
	slices.Reverse(backwards)
	want, got := readIDs(forwards[:end]), readIDs(backwards)
	if !slices.Equal(want, got) {
		h.Fatalf("%d events forwards, %d backwards, and they differ", len(want), len(got))
	}
}

func orderOfAppends(h *harness) {
	from := h.mark()
	streams := []string{h.stream(), h.stream(), h.stream()}
	var proposed []esdb.EventData
	for i := range 30 {
		several := events(1 + i%3)
		h.append(streams[i%len(streams)], esdb.Any{}, several...)
		proposed = append(proposed, several...)
	}
	var read []*esdb.ResolvedEvent
	for _, e := range h.readAll(esdb.ReadAllOptions{From: from}, everything) {
		if slices.Contains(streams, e.OriginalEvent().StreamID) {
			read = append(read, e)
		}
	}
	h.wantEvents(read, proposed)
}

func systemEventsShown(h *harness) {
	from := h.mark()
	stream, _ := h.existing(1)
	h.setMetadata(stream, `{"$maxCount":9}`)
	h.tombstone(stream, esdb.Any{})
	read := h.readAll(esdb.ReadAllOptions{From: from}, everything)
	if got := len(ofStream("$$"+stream, read)); got != 1 {
		h.Errorf("%d metadata events, want 1", got)
	}
	own := ofStream(stream, read)
	if len(own) != 2 || own[1].Event.EventType != "$streamDeleted" {
		h.Errorf("%d events of the stream, want one and its tombstone", len(own))
	}
}

func countIsKept(h *harness) {
	from := h.mark()
	h.existing(100)
	for _, n := range []uint64{1, 31, 32, 33, 64, 100} {
		if got := h.readAll(esdb.ReadAllOptions{From: from}, n); uint64(len(got)) != n {
			h.Errorf("forwards: %d events, want %d", len(got), n)
		}
		if got := h.readAll(esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, n); uint64(len(got)) != n {
			h.Errorf("backwards: %d events, want %d", len(got), n)
		}
	}
}

func beyondTheEnd(h *harness) {
	far := esdb.Position{Commit: 1 << 60, Prepare: 1 << 60}
	if got := h.readAll(esdb.ReadAllOptions{From: far}, 10); len(got) > 0 {
		h.Errorf("%d events", len(got))
	}
}

func commitPositionSaid(h *harness) {
	from := h.mark()
	for _, e := range h.readAll(esdb.ReadAllOptions{From: from}, 1) {
		if e.Commit == nil || *e.Commit != from.Commit {
			h.Errorf("commit %v, want %d", e.Commit, from.Commit)
		}
	}
}
