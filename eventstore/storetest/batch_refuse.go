package storetest

import (
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// This file is about appends in batches that come to nothing.

func batchTooLarge(h *harness) {
	b, stream, id := h.batches(), h.stream(), newID()
	large := event("Happened", "")
	large.Data = make([]byte, 600<<10)
	again := large
	again.EventID = uuid.New()
	b.send(part(id, to(stream, anyRevision), with(large), unfinished),
		part(id, with(again), unfinished), part(id, with(events(1)...)))
	detail := &shared.MaximumAppendSizeExceeded{}
	answer := b.next()
	b.wantRefusal(answer, codes.InvalidArgument, detail)
	if detail.GetMaxAppendSize() != maxAppend || string(answer.GetStreamIdentifier().GetStreamName()) != stream {
		h.Errorf("%v", answer)
	}
	b.goesOn()
	h.wantNoStream(stream)
}

func batchDeadlinePassed(h *harness) {
	b := h.batches()
	for what, deadline := range map[string]func(*streams.BatchAppendReq_Options){
		"a moment ago": within21100(time.Now().Add(-time.Second)),
		"no time":      within(0),
		"less":         within(-time.Second),
	} {
		stream := h.stream()
		b.send(part(newID(), to(stream, noStream, deadline), with(events(1)...)))
		h.Log(what)
		b.wantRefusal(b.next(), codes.DeadlineExceeded, &shared.Timeout{})
		h.wantNoStream(stream)
	}
	for _, deadline := range []func(*streams.BatchAppendReq_Options){within21100(time.Now().Add(time.Hour)), within(time.Hour)} {
		b.appended(part(newID(), to(h.stream(), noStream, deadline), with(events(1)...)))
	}
}

func within(d time.Duration) func(*streams.BatchAppendReq_Options) {
	return func(o *streams.BatchAppendReq_Options) {
		o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(d)}
	}
}

// within21100 says a deadline as clients did before 21.10, and some do today.
func within21100(at time.Time) func(*streams.BatchAppendReq_Options) {
	return func(o *streams.BatchAppendReq_Options) {
		o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(at)}
	}
}

func batchNotComplete(h *harness) {
	b, stream, id := h.batches(), h.stream(), newID()
	b.send(part(id, to(stream, noStream, within(20*time.Millisecond)), with(events(1)...), unfinished))
	answer := b.next()
	b.wantRefusal(answer, codes.DeadlineExceeded, &shared.Timeout{})
	if !proto.Equal(answer.GetCorrelationId(), id) {
		h.Errorf("%v", answer)
	}
	b.send(part(id, with(events(1)...))) // too late, and no answer comes
	b.goesOn()
	h.wantNoStream(stream)
}

func batchRestOfNothing(h *harness) {
	b := h.batches()
	b.send(part(newID(), with(events(1)...)), part(newID(), with(events(1)...), unfinished), part(newID()))
	b.goesOn()
}

func batchBadInput(h *harness) {
	b := h.batches()
	for what, change := range map[string]partChange{
		"an event without an id":          func(r *streams.BatchAppendReq) { r.ProposedMessages[1].Id = nil },
		"an id that is none":              func(r *streams.BatchAppendReq) { r.ProposedMessages[1].Id = textID("x") },
		"an event without a type":         func(r *streams.BatchAppendReq) { delete(r.ProposedMessages[1].Metadata, "type") },
		"an event without a content type": func(r *streams.BatchAppendReq) { delete(r.ProposedMessages[1].Metadata, "content-type") },
		"nothing is said to be expected":  func(r *streams.BatchAppendReq) { r.Options.ExpectedStreamPosition = nil },
		"a deadline that is no time":      func(r *streams.BatchAppendReq) { brokenDeadline(r.GetOptions()) },
		"an event with nothing in it":     func(r *streams.BatchAppendReq) { r.ProposedMessages[1].Reset() },
	} {
		stream, id := h.stream(), newID()
		b.send(part(id, to(stream, noStream), with(events(3)...), change))
		h.Log(what)
		answer := b.next()
		b.wantRefusal(answer, codes.InvalidArgument, &shared.BadRequest{})
		if !proto.Equal(answer.GetCorrelationId(), id) || string(answer.GetStreamIdentifier().GetStreamName()) != stream {
			h.Errorf("%v", answer)
		}
		h.wantNoStream(stream)
	}
	b.goesOn()
}

func brokenDeadline(o *streams.BatchAppendReq_Options) {
	o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{
		Deadline_21_10_0: &timestamppb.Timestamp{Seconds: 1 << 60, Nanos: -1},
	}
}
