package storetest

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

func batchTests() []test {
	return []test{
		{"an append in one part", batchOnePart},
		{"an append in many parts is written with the last one", batchManyParts},
		{"appends in parts may be interleaved", batchInterleaved},
		{"many appends of one stream may be under way", batchPipelined},
		{"appends of one stream keep their order", batchInOrder},
		{"append on every kind of stream", batchMatrix},
		{"a repeat gets the first answer", batchRepeat},
		{"ids are taken and given back in either form", batchIDForms},
		{"an append above 1 MiB is refused, its rest is ignored", batchTooLarge},
		{"an append whose deadline has passed is refused", batchDeadlinePassed},
		{"an append that is not complete in time is given up", batchNotComplete},
		{"a part without options, of an append that nobody began, is ignored", batchRestOfNothing},
		{"bad input is refused, and the call goes on", batchBadInput},
		{"two calls on one stream", batchTwoCalls},
	}
}

func batchOnePart(h *harness) {
	b, stream, proposed := h.batches(), h.stream(), events(3)
	id := newID()
	b.send(part(id, to(stream, noStream), with(proposed...)))
	answer := b.next()
	if !proto.Equal(answer.GetCorrelationId(), id) || string(answer.GetStreamIdentifier().GetStreamName()) != stream {
		h.Errorf("the answer is about %v of %s", answer.GetCorrelationId(), answer.GetStreamIdentifier().GetStreamName())
	}
	if got := answer.GetSuccess().GetCurrentRevision(); got != 2 {
		h.Errorf("current revision %d, want 2", got)
	}
	read := h.read(stream)
	h.wantEvents(read, proposed)
	at := answer.GetSuccess().GetPosition()
	h.wantPosition("the answer's", esdb.Position{Commit: at.GetCommitPosition(), Prepare: at.GetPreparePosition()}, read[2].Event.Position)
}

func batchManyParts(h *harness) {
	b, stream, proposed := h.batches(), h.stream(), events(5)
	id := newID()
	b.send(part(id, to(stream, noStream), unfinished),
		part(id, with(proposed[:3]...), unfinished),
		part(id, with(proposed[3]), unfinished))
	b.appended(part(newID(), to(h.stream(), noStream), with(events(1)...)))
	h.wantNoStream(stream)
	if got := b.appended(part(id, with(proposed[4]))).GetCurrentRevision(); got != 4 {
		h.Errorf("current revision %d, want 4", got)
	}
	h.wantEvents(h.read(stream), proposed)
}

func batchInterleaved(h *harness) {
	b := h.batches()
	const appends, parts = 5, 4
	var ids [appends]*shared.UUID
	var names [appends]string
	var proposed [appends][]esdb.EventData
	for i := range appends {
		ids[i], names[i] = newID(), h.stream()
		b.send(part(ids[i], to(names[i], noStream), unfinished))
	}
	for p := range parts {
		for i := range appends {
			fresh := events(2)
			proposed[i] = append(proposed[i], fresh...)
			b.send(part(ids[i], with(fresh...), func(r *streams.BatchAppendReq) { r.IsFinal = p == parts-1 }))
		}
	}
	answers := b.answers(appends)
	for i := range appends {
		if answers[ids[i].GetString_()].GetSuccess().GetCurrentRevision() != 2*parts-1 {
			h.Errorf("append %d: %v", i, answers[ids[i].GetString_()])
		}
		h.wantEvents(h.read(names[i]), proposed[i])
	}
}

// Each append expects what the one before it leaves, and none waits for that
// one's answer.
func batchPipelined(h *harness) {
	b, stream := h.batches(), h.stream()
	const appends = 500
	var proposed []esdb.EventData
	sent := make(chan error, 1)
	var parts []*streams.BatchAppendReq
	for n := range appends {
		fresh := events(2)
		proposed = append(proposed, fresh...)
		parts = append(parts, part(textID(correlation(n)), to(stream, expectation(2*n-1)), with(fresh...)))
	}
	go func() {
		for _, p := range parts {
			if err := b.call.Send(p); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	answers := b.answers(appends)
	if err := <-sent; err != nil {
		h.Fatal(err)
	}
	for n := range appends {
		if got := answers[correlation(n)]; got.GetSuccess() == nil || got.GetSuccess().GetCurrentRevision() != uint64(2*n+1) {
			h.Fatalf("append %d: %v", n, got)
		}
	}
	h.wantEvents(h.read(stream), proposed)
}

func correlation(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n+1) }

func batchInOrder(h *harness) {
	b, stream := h.batches(), h.stream()
	const appends = 200
	proposed := events(appends)
	for n, e := range proposed {
		b.send(part(textID(correlation(n)), to(stream, anyRevision), with(e)))
	}
	b.answers(appends)
	h.wantEvents(h.read(stream), proposed)
}

func batchMatrix(h *harness) {
	appends.check(h, func(h *harness, state streamState, expected expectation) (verdict, metadata.MD) {
		b, stream := h.batches(), h.streamIn(state)
		b.send(part(newID(), to(stream, expected), with(events(1)...)))
		answer := b.next()
		if string(answer.GetStreamIdentifier().GetStreamName()) != stream {
			h.Errorf("the answer is about %s", answer.GetStreamIdentifier().GetStreamName())
		}
		switch codes.Code(answer.GetError().GetCode()) {
		case codes.AlreadyExists:
			w := &shared.WrongExpectedVersion{}
			b.wantRefusal(answer, codes.AlreadyExists, w)
			h.wantCurrentAndExpected(state, expected, w)
			return wrong, nil
		case codes.NotFound:
			b.wantRefusal(answer, codes.NotFound, &shared.StreamDeleted{})
			return deleted, nil
		case codes.OK:
		default:
			h.Fatalf("%v", answer)
		}
		want := uint64(3)
		if state == missing {
			want = 0
		}
		if got := answer.GetSuccess().GetCurrentRevision(); got != want {
			h.Fatalf("current revision %d, want %d", got, want)
		}
		return accepted, nil
	})
}

func (h *harness) wantCurrentAndExpected(state streamState, expected expectation, w *shared.WrongExpectedVersion) {
	h.Helper()
	if none := w.GetCurrentNoStream() != nil; none != (state == missing) || !none && w.GetCurrentStreamRevision() != 2 {
		h.Errorf("%v on a %s stream", w, state)
	}
	said := map[expectation]bool{
		anyRevision: w.GetExpectedAny() != nil, noStream: w.GetExpectedNoStream() != nil, streamExists: w.GetExpectedStreamExists() != nil,
	}
	if is, special := said[expected]; special && !is || !special && w.GetExpectedStreamPosition() != uint64(expected) {
		h.Errorf("%v, where %s was expected", w, expected)
	}
}

func batchRepeat(h *harness) {
	b, stream, proposed := h.batches(), h.stream(), events(3)
	once := func() *streams.BatchAppendResp_Success {
		return b.appended(part(newID(), to(stream, noStream), with(proposed...)))
	}
	if first, again := once(), once(); !proto.Equal(first, again) {
		h.Errorf("first %v, then %v", first, again)
	}
	h.wantEvents(h.read(stream), proposed)
}

func batchIDForms(h *harness) {
	b, stream, proposed := h.batches(), h.stream(), events(1)
	id := structured(uuid.New())
	b.send(part(id, to(stream, noStream), with(proposed...), func(r *streams.BatchAppendReq) {
		r.ProposedMessages[0].Id = structured(proposed[0].EventID)
	}))
	if answer := b.next(); answer.GetSuccess() == nil || !proto.Equal(answer.GetCorrelationId(), id) {
		h.Errorf("%v", answer)
	}
	h.wantEvents(h.read(stream), proposed)
}

func batchTwoCalls(h *harness) {
	stream := h.stream()
	const each = 50
	calls := []*batches{h.batches(), h.batches()}
	for n := range each {
		for _, b := range calls {
			b.send(part(textID(correlation(n)), to(stream, anyRevision), with(events(1)...)))
		}
	}
	revisions := map[uint64]bool{}
	for _, b := range calls {
		for _, answer := range b.answers(each) {
			revisions[answer.GetSuccess().GetCurrentRevision()] = true
		}
	}
	if len(revisions) != 2*each || len(h.read(stream)) != 2*each {
		h.Errorf("%d revisions and %d events, want %d", len(revisions), len(h.read(stream)), 2*each)
	}
}

func structured(id uuid.UUID) *shared.UUID {
	most, least := esdb.UUIDAsInt64(id)
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: most, LeastSignificantBits: least,
	}}}
}
