package storetest

import (
	"fmt"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
)

func readStreamTests() []test {
	return []test{
		{"forwards, from every kind of place", readForwards},
		{"backwards, from every kind of place", readBackwards},
		{"forwards from the end, or no events at all: nothing", readNothing},
		{"a stream that never was is not found", readMissing},
		{"a long stream is read whole and in order, both ways", readLong},
		{"large events are read whole", readLarge},
		{"events have the position they have in $all", streamPositions},
		{"the first and last revisions are shown to those who ask", endsShown},
		{"and not to those who do not", endsNotShown},
	}
}

type reading struct {
	from  esdb.StreamPosition
	count uint64
	want  []uint64
}

func (r reading) check(h *harness, stream string, direction esdb.Direction) {
	h.Helper()
	read := h.readWith(stream, esdb.ReadStreamOptions{Direction: direction, From: r.from}, r.count)
	got := []uint64{}
	for _, e := range read {
		got = append(got, e.Event.EventNumber)
	}
	if diff := cmp.Diff(append([]uint64{}, r.want...), got); diff != "" {
		h.Errorf("%d from %T%v (-want +got):\n%s", r.count, r.from, r.from, diff)
	}
}

func readForwards(h *harness) {
	stream, _ := h.existing(10)
	for _, r := range []reading{
		{esdb.Start{}, everything, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{esdb.Start{}, 1, []uint64{0}},
		{esdb.Start{}, 3, []uint64{0, 1, 2}},
		{esdb.Revision(0), 2, []uint64{0, 1}},
		{esdb.Revision(4), 3, []uint64{4, 5, 6}},
		{esdb.Revision(8), 5, []uint64{8, 9}},
		{esdb.Revision(9), 5, []uint64{9}},
		{esdb.Revision(10), 5, nil},
		{esdb.Revision(1000), 5, nil},
		{esdb.Revision(1 << 40), everything, nil},
	} {
		r.check(h, stream, esdb.Forwards)
	}
}

func readBackwards(h *harness) {
	stream, _ := h.existing(10)
	for _, r := range []reading{
		{esdb.End{}, everything, []uint64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{esdb.End{}, 1, []uint64{9}},
		{esdb.End{}, 3, []uint64{9, 8, 7}},
		{esdb.Revision(9), 2, []uint64{9, 8}},
		{esdb.Revision(4), 3, []uint64{4, 3, 2}},
		{esdb.Revision(1), 5, []uint64{1, 0}},
		{esdb.Revision(0), 5, []uint64{0}},
		{esdb.Start{}, 5, []uint64{0}}, // the start is revision 0
		{esdb.Revision(1000), 3, []uint64{9, 8, 7}},
	} {
		r.check(h, stream, esdb.Backwards)
	}
}

// EventStoreDB answers these with an unexplained error; a reader gets no event
// either way.
func readNothing(h *harness) {
	stream, _ := h.existing(3)
	for _, option := range []readOption{fromEnd, count(0)} {
		answers, _, _ := h.answers(readStreamRequest(stream, option))
		if got := recorded(answers); len(got) > 0 {
			h.Errorf("%d events", len(got))
		}
	}
}

func readMissing(h *harness) {
	stream := h.stream()
	h.wantNoStream(stream)
	for _, options := range [][]readOption{{}, {backwards, fromEnd}, {fromRevision(5)}, {showingEnds}} {
		answers := h.mustAnswer(readStreamRequest(stream, options...))
		if len(answers) != 1 || string(answers[0].GetStreamNotFound().GetStreamIdentifier().GetStreamName()) != stream {
			h.Errorf("%v, want stream-not-found alone", answers)
		}
	}
}

func readLong(h *harness) {
	const length = 1234
	stream, proposed := h.existing(length)
	read := h.read(stream)
	h.wantEvents(read, proposed)
	last := h.readWith(stream, lastFirst(esdb.End{}), everything)
	if len(last) != length {
		h.Fatalf("%d events backwards, want %d", len(last), length)
	}
	for i := range last {
		if got, want := last[i].Event.EventID, read[length-1-i].Event.EventID; got != want {
			h.Fatalf("backwards, place %d: %s, want %s", i, got, want)
		}
	}
	part := h.readWith(stream, esdb.ReadStreamOptions{From: esdb.Revision(100)}, 1000)
	h.wantEvents(part, proposed[100:1100])
}

func readLarge(h *harness) {
	stream := h.stream()
	var proposed []esdb.EventData
	for i := range 8 {
		e := event("Scanned", fmt.Sprintf(`{"page":%d,"text":%q}`, i, strings.Repeat("x", 1_000_000)))
		h.append(stream, esdb.Any{}, e)
		proposed = append(proposed, e)
	}
	h.wantEvents(h.read(stream), proposed)
}

func streamPositions(h *harness) {
	from := h.mark()
	stream, _ := h.existing(40)
	byStream := h.read(stream)
	byAll := ofStream(stream, h.readAll(esdb.ReadAllOptions{From: from}, everything))
	if len(byAll) != len(byStream) {
		h.Fatalf("%d events in $all, %d in the stream", len(byAll), len(byStream))
	}
	for i := range byStream {
		h.wantPosition(fmt.Sprintf("event %d", i), byStream[i].Event.Position, byAll[i].Event.Position)
	}
}

// endsShown covers what a reader with compatibility 1 is shown beside events:
// the stream's last revision after them, and before them the first revision
// that there is, where the first page asked for holds none.
func endsShown(h *harness) {
	stream, _ := h.existing(20)
	h.setMetadata(stream, `{"$tb":10}`)
	for _, tt := range []struct {
		name    string
		options []readOption
		want    []string
	}{
		{"within", []readOption{fromRevision(17)}, []string{"event 17", "event 18", "event 19", "last 19"}},
		{"limited", []readOption{fromRevision(12), count(2)}, []string{"event 12", "event 13", "last 19"}},
		{"backwards", []readOption{backwards, fromEnd, count(2)}, []string{"event 19", "event 18", "last 19"}},
		{"beyond", []readOption{fromRevision(30)}, []string{"first 20", "last 19"}},
		{"hidden", []readOption{fromRevision(3), count(2)}, []string{"first 10", "event 10", "event 11", "last 19"}},
	} {
		var got []string
		for _, a := range h.mustAnswer(readStreamRequest(stream, append(tt.options, showingEnds)...)) {
			got = append(got, describe(a))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			h.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func describe(a *streams.ReadResp) string {
	switch c := a.GetContent().(type) {
	case *streams.ReadResp_Event:
		return fmt.Sprintf("event %d", c.Event.GetEvent().GetStreamRevision())
	case *streams.ReadResp_FirstStreamPosition:
		return fmt.Sprintf("first %d", c.FirstStreamPosition)
	case *streams.ReadResp_LastStreamPosition:
		return fmt.Sprintf("last %d", c.LastStreamPosition)
	default:
		return fmt.Sprintf("%T", c)
	}
}

func endsNotShown(h *harness) {
	stream, _ := h.existing(2)
	for _, options := range [][]readOption{{}, {backwards, fromEnd}, {fromRevision(7)}} {
		for _, a := range h.mustAnswer(readStreamRequest(stream, options...)) {
			if a.GetEvent() == nil {
				h.Errorf("%s beside the events", describe(a))
			}
		}
	}
}
