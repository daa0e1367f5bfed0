package storetest

import (
	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

// A repeat is an append whose every event id is found in the stream at
// successive revisions from the expected one on. It adds nothing and gets the
// answer of the first time.
func repeatTests() []test {
	return []test{
		{"a first append repeated gets the first answer", repeatOfFirst},
		{"several events repeated at their revision get the first answer", repeatOfSeveral},
		{"an old append repeated after newer ones gets the old answer", repeatOfOld},
		{"a part of an append repeated gets that part's answer", repeatOfPart},
		{"a repeat with Any or StreamExists is recognised while it is recent", repeatWithAny},
		{"a repeat with one other event is a wrong expected version", repeatPartly},
		{"a repeat in another order is a wrong expected version", repeatSwapped},
		{"a repeat with Any and one other event is a wrong expected version", repeatPartlyWithAny},
		{"the same id at the current revision is another event", sameIDAgain},
		{"the same id in another stream is another event", sameIDElsewhere},
		{"a repeat of truncated events is a repeat", repeatOfTruncated},
		{"a repeat on a soft-deleted stream does not revive it", repeatAfterDelete},
	}
}

// wantSame checks that a repeat got the first answer.
func (h *harness) wantSame(first, repeat *esdb.WriteResult) {
	h.Helper()
	if diff := cmp.Diff(first, repeat); diff != "" {
		h.Fatalf("the answer to the repeat (-first +repeat):\n%s", diff)
	}
}

func repeatOfFirst(h *harness) {
	stream, proposed := h.stream(), events(1)
	first := h.append(stream, esdb.NoStream{}, proposed...)
	h.wantSame(first, h.append(stream, esdb.NoStream{}, proposed...))
	h.wantEvents(h.read(stream), proposed)
}

func repeatOfSeveral(h *harness) {
	stream, old := h.existing(3)
	proposed := events(4)
	first := h.append(stream, esdb.Revision(2), proposed...)
	h.wantSame(first, h.append(stream, esdb.Revision(2), proposed...))
	h.wantEvents(h.read(stream), append(old, proposed...))
}

func repeatOfOld(h *harness) {
	stream, proposed := h.stream(), events(9)
	var answers []*esdb.WriteResult
	expected := esdb.ExpectedRevision(esdb.NoStream{})
	for i := 0; i < len(proposed); i += 3 {
		result := h.append(stream, expected, proposed[i:i+3]...)
		answers = append(answers, result)
		expected = esdb.Revision(result.NextExpectedVersion)
	}
	h.wantSame(answers[0], h.append(stream, esdb.NoStream{}, proposed[:3]...))
	h.wantSame(answers[1], h.append(stream, esdb.Revision(2), proposed[3:6]...))
	h.wantEvents(h.read(stream), proposed)
}

func repeatOfPart(h *harness) {
	stream, proposed := h.existing(3)
	read := h.read(stream)
	for _, part := range []struct {
		from, to int
		expected esdb.ExpectedRevision
	}{
		{0, 1, esdb.NoStream{}},
		{0, 2, esdb.NoStream{}},
		{1, 3, esdb.Revision(0)},
		{2, 3, esdb.Revision(1)},
	} {
		result := h.append(stream, part.expected, proposed[part.from:part.to]...)
		if got, want := result.NextExpectedVersion, uint64(part.to-1); got != want {
			h.Fatalf("events %d to %d: current revision %d, want %d", part.from, part.to, got, want)
		}
		h.wantPosition("the repeat", positionOf(result), read[part.to-1].Event.Position)
	}
	h.wantEvents(h.read(stream), proposed)
}

func repeatWithAny(h *harness) {
	stream, proposed := h.stream(), events(2)
	first := h.append(stream, esdb.Any{}, proposed...)
	h.wantSame(first, h.append(stream, esdb.Any{}, proposed...))
	h.wantSame(first, h.append(stream, esdb.StreamExists{}, proposed...))
	h.wantEvents(h.read(stream), proposed)
}

func repeatPartly(h *harness) {
	stream, proposed := h.existing(3)
	other := events(1)[0]
	for _, attempt := range [][]esdb.EventData{
		{proposed[0], other},
		{other, proposed[1]},
		{proposed[0], proposed[1], other},
		{proposed[0], proposed[1], proposed[2], other}, // longer than the stream
		{proposed[0], proposed[0]},
		{proposed[1]},
	} {
		_, err := h.tryAppend(stream, esdb.NoStream{}, attempt...)
		h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
	}
	h.wantEvents(h.read(stream), proposed)
}

func repeatSwapped(h *harness) {
	stream, proposed := h.existing(2)
	_, err := h.tryAppend(stream, esdb.NoStream{}, proposed[1], proposed[0])
	h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
	h.wantEvents(h.read(stream), proposed)
}

func repeatPartlyWithAny(h *harness) {
	stream, proposed := h.stream(), events(2)
	h.append(stream, esdb.Any{}, proposed...)
	_, err := h.tryAppend(stream, esdb.Any{}, proposed[0], proposed[1], events(1)[0])
	h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
	h.wantEvents(h.read(stream), proposed)
}

func sameIDAgain(h *harness) {
	stream, proposed := h.existing(1)
	if got := h.append(stream, esdb.Revision(0), proposed...).NextExpectedVersion; got != 1 {
		h.Fatalf("current revision %d, want 1", got)
	}
	h.wantEvents(h.read(stream), append(proposed, proposed...))
}

func sameIDElsewhere(h *harness) {
	_, proposed := h.existing(2)
	for _, expected := range []esdb.ExpectedRevision{esdb.NoStream{}, esdb.Any{}} {
		other := h.stream()
		h.append(other, expected, proposed...)
		h.wantEvents(h.read(other), proposed)
	}
}

func repeatOfTruncated(h *harness) {
	stream, proposed := h.existing(5)
	h.setMetadata(stream, `{"$tb":4}`)
	if got := h.append(stream, esdb.NoStream{}, proposed[:3]...).NextExpectedVersion; got != 2 {
		h.Fatalf("current revision %d, want 2", got)
	}
	h.wantRevisions(h.read(stream), 4)
}

func repeatAfterDelete(h *harness) {
	stream, proposed := h.existing(2)
	h.delete(stream, esdb.Any{})
	if got := h.append(stream, esdb.NoStream{}, proposed...).NextExpectedVersion; got != 1 {
		h.Fatalf("current revision %d, want 1", got)
	}
	h.wantNoStream(stream)
}
