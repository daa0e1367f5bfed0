package storetest

import (
	"errors"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The Go client never appends in batches, so that the suite speaks the protocol
// itself here.

// batches is a call of BatchAppend.
type batches struct {
	h    *harness
	call streams.Streams_BatchAppendClient
}

func (h *harness) batches() *batches {
	h.Helper()
	call, err := h.wire.BatchAppend(authorised(h.ctx, h.config))
	if err != nil {
		h.Fatal(err)
	}
	return &batches{h, call}
}

type partChange func(*streams.BatchAppendReq)

// part is a part of an append, the last one unless it is changed.
func part(id *shared.UUID, changes ...partChange) *streams.BatchAppendReq {
	r := &streams.BatchAppendReq{CorrelationId: id, IsFinal: true}
	for _, change := range changes {
		change(r)
	}
	return r
}

func unfinished(r *streams.BatchAppendReq) { r.IsFinal = false }

// to says which stream is appended to, and what is expected of it.
func to(stream string, expected expectation, changes ...func(*streams.BatchAppendReq_Options)) partChange {
	o := &streams.BatchAppendReq_Options{StreamIdentifier: name(stream)}
	switch expected {
	case anyRevision:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case noStream:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	case streamExists:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	default:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(expected)}
	}
	for _, change := range changes {
		change(o)
	}
	return func(r *streams.BatchAppendReq) { r.Options = o }
}

// with adds events to a part.
func with(proposed ...esdb.EventData) partChange {
	return func(r *streams.BatchAppendReq) {
		for _, e := range proposed {
			r.ProposedMessages = append(r.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
				Id:             textID(e.EventID.String()),
				Metadata:       map[string]string{"type": e.EventType, "content-type": "application/json"},
				CustomMetadata: e.Metadata, Data: e.Data,
			})
		}
	}
}

func newID() *shared.UUID { return textID(uuid.NewString()) }

func (b *batches) send(parts ...*streams.BatchAppendReq) {
	b.h.Helper()
	for _, p := range parts {
		if err := b.call.Send(p); errors.Is(err, io.EOF) {
			_, err = b.call.Recv()
			b.h.Fatalf("the call has ended: %v", err)
		} else if err != nil {
			b.h.Fatal(err)
		}
	}
}

// next returns the next answer.
func (b *batches) next() *streams.BatchAppendResp {
	b.h.Helper()
	answer, err := b.call.Recv()
	if err != nil {
		b.h.Fatalf("no answer: %v", err)
	}
	return answer
}

// answers returns the next n answers by the text of their correlation ids.
func (b *batches) answers(n int) map[string]*streams.BatchAppendResp {
	b.h.Helper()
	got := map[string]*streams.BatchAppendResp{}
	for range n {
		answer := b.next()
		id := answer.GetCorrelationId().GetString_()
		if got[id] != nil {
			b.h.Fatalf("a second answer for %s: %v", id, answer)
		}
		got[id] = answer
	}
	return got
}

// appended sends one append and returns its success.
func (b *batches) appended(p *streams.BatchAppendReq) *streams.BatchAppendResp_Success {
	b.h.Helper()
	b.send(p)
	answer := b.next()
	if answer.GetSuccess() == nil {
		b.h.Fatalf("%v, want a success", answer)
	}
	return answer.GetSuccess()
}

// wantRefusal checks that an answer carries this code and, as its one detail,
// this message, whatever that holds.
func (b *batches) wantRefusal(answer *streams.BatchAppendResp, code codes.Code, detail proto.Message) *rpc.Status {
	b.h.Helper()
	refused := answer.GetError()
	if refused == nil || codes.Code(refused.GetCode()) != code || len(refused.GetDetails()) != 1 {
		b.h.Fatalf("%v, want code %v with one detail", answer, code)
	}
	if err := refused.GetDetails()[0].UnmarshalTo(detail); err != nil {
		b.h.Fatalf("detail %v: %v", refused.GetDetails()[0], err)
	}
	return refused
}

// goesOn checks that the call goes on after what was refused on it.
func (b *batches) goesOn() {
	b.h.Helper()
	stream, proposed := b.h.stream(), events(2)
	id := newID()
	b.send(part(id, to(stream, noStream), with(proposed...)))
	answer := b.next()
	if answer.GetSuccess() == nil || !proto.Equal(answer.GetCorrelationId(), id) {
		b.h.Fatalf("after what was refused: %v", answer)
	}
	b.h.wantEvents(b.h.read(stream), proposed)
}
