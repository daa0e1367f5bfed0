package storetest

import (
	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func appendTests() []test {
	return []test{
		{"a stream's revisions count from 0 without gaps", revisionsCountFromZero},
		{"several events go in whole and in order", severalInOneAppend},
		{"the answer has the revision and the position of the last event", answerIsTheLastEvent},
		{"positions only rise, and commit equals prepare", positionsRise},
		{"a refused append leaves nothing behind", refusedLeavesNothing},
		{"an append of no events checks the revision and adds nothing", appendOfNothing},
		{"one of a thousand events is as good as one", appendThousand},
	}
}

func revisionsCountFromZero(h *harness) {
	stream := h.stream()
	for want := range uint64(5) {
		if got := h.append(stream, esdb.Any{}, events(1)...).NextExpectedVersion; got != want {
			h.Fatalf("append %d: current revision %d", want, got)
		}
	}
	h.wantRevisions(h.read(stream), 0, 1, 2, 3, 4)
}

func severalInOneAppend(h *harness) {
	stream, first := h.existing(3)
	second := events(4)
	h.append(stream, esdb.Revision(2), second...)
	read := h.read(stream)
	h.wantRevisions(read, 0, 1, 2, 3, 4, 5, 6)
	h.wantEvents(read, append(first, second...))
}

func answerIsTheLastEvent(h *harness) {
	stream := h.stream()
	result := h.append(stream, esdb.NoStream{}, events(3)...)
	if result.NextExpectedVersion != 2 {
		h.Fatalf("current revision %d after 3 events, want 2", result.NextExpectedVersion)
	}
	read := h.read(stream)
	h.wantPosition("the answer", positionOf(result), read[2].Event.Position)
}

func positionsRise(h *harness) {
	var last esdb.Position
	for range 20 {
		stream := h.stream()
		h.append(stream, esdb.NoStream{}, events(3)...)
		for _, e := range h.read(stream) {
			at := e.Event.Position
			if at.Commit != at.Prepare {
				h.Fatalf("an ordinary event at commit %d, prepare %d", at.Commit, at.Prepare)
			}
			if !before(last, at) {
				h.Fatalf("%v does not come after %v", at, last)
			}
			last = at
		}
	}
}

func refusedLeavesNothing(h *harness) {
	stream, proposed := h.existing(2)
	_, err := h.tryAppend(stream, esdb.Revision(7), events(3)...)
	h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
	h.wantEvents(h.read(stream), proposed)

	missing := h.stream()
	_, err = h.tryAppend(missing, esdb.Revision(0), events(3)...)
	h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
	h.wantNoStream(missing)
}

// An append without events is a question about the revision. It never counts
// as a repeat, so a revision below the current one is a wrong one.
func appendOfNothing(h *harness) {
	stream, proposed := h.existing(3)
	for _, expected := range []expectation{anyRevision, streamExists, 2} {
		answer, _, err := h.appendRaw(appendOptions(stream, expected))
		if err != nil {
			h.Fatalf("expecting %d: %v", expected, err)
		}
		if got := answer.GetSuccess().GetCurrentRevision(); answer.GetSuccess() == nil || got != 2 {
			h.Fatalf("expecting %d: %v, want the current revision 2", expected, answer)
		}
	}
	for _, expected := range []expectation{noStream, 1, 3} {
		answer, _, err := h.appendRaw(appendOptions(stream, expected))
		if err != nil {
			h.Fatalf("expecting %d: %v", expected, err)
		}
		if answer.GetWrongExpectedVersion() == nil {
			h.Fatalf("expecting %d: %v, want a wrong expected version", expected, answer)
		}
	}
	h.wantEvents(h.read(stream), proposed)

	missing := h.stream()
	answer, _, err := h.appendRaw(appendOptions(missing, noStream))
	if err != nil {
		h.Fatal(err)
	}
	if answer.GetSuccess().GetNoStream() == nil {
		h.Fatalf("nothing appended to a missing stream: %v, want success with no stream", answer)
	}
	h.wantNoStream(missing)
}

func appendThousand(h *harness) {
	stream, proposed := h.existing(1000)
	more := events(1)
	if got := h.append(stream, esdb.Revision(999), more...).NextExpectedVersion; got != 1000 {
		h.Fatalf("current revision %d, want 1000", got)
	}
	h.wantEvents(h.read(stream), append(proposed, more...))
}
