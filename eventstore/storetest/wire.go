package storetest

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// This file speaks the protocol itself, for what the client cannot say or does
// not show.

var empty = &shared.Empty{}

func name(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// expectation is a write's demand on its stream, in the numbers that
// EventStoreDB uses for it in trailers: revisions are themselves.
type expectation int64

const (
	anyRevision  expectation = -2
	noStream     expectation = -1
	streamExists expectation = -4
)

// appendOptions opens an append.
func appendOptions(stream string, expected expectation) *streams.AppendReq {
	o := &streams.AppendReq_Options{StreamIdentifier: name(stream)}
	switch expected {
	case anyRevision:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: empty}
	case noStream:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: empty}
	case streamExists:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: empty}
	default:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(expected)}
	}
	return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}
}

// message is one event of an append; changes make it something else.
func message(data []byte, changes ...func(*streams.AppendReq_ProposedMessage)) *streams.AppendReq {
	m := &streams.AppendReq_ProposedMessage{
		Id:       textID(uuid.NewString()),
		Metadata: map[string]string{"type": "Happened", "content-type": "application/json"},
		Data:     data,
	}
	for _, change := range changes {
		change(m)
	}
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: m}}
}

func withID(id *shared.UUID) func(*streams.AppendReq_ProposedMessage) {
	return func(m *streams.AppendReq_ProposedMessage) { m.Id = id }
}

func withMetadata(key, value string) func(*streams.AppendReq_ProposedMessage) {
	return func(m *streams.AppendReq_ProposedMessage) { m.Metadata[key] = value }
}

func withoutMetadata(key string) func(*streams.AppendReq_ProposedMessage) {
	return func(m *streams.AppendReq_ProposedMessage) { delete(m.Metadata, key) }
}

func textID(id string) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_String_{String_: id}}
}

// appendRaw sends the messages as they are. The trailers are those of the
// answer, a refusal or not.
func (h *harness) appendRaw(messages ...*streams.AppendReq) (*streams.AppendResp, metadata.MD, error) {
	call, err := h.wire.Append(authorised(h.ctx, h.config))
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		if err := call.Send(m); errors.Is(err, io.EOF) {
			break // refused already; CloseAndRecv says why
		} else if err != nil {
			return nil, call.Trailer(), err
		}
	}
	answer, err := call.CloseAndRecv()
	return answer, call.Trailer(), err
}

func (h *harness) deleteRaw(stream string, expected expectation) (*streams.DeleteResp, metadata.MD, error) {
	o := &streams.DeleteReq_Options{StreamIdentifier: name(stream)}
	switch expected {
	case anyRevision:
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_Any{Any: empty}
	case noStream:
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_NoStream{NoStream: empty}
	case streamExists:
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_StreamExists{StreamExists: empty}
	default:
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_Revision{Revision: uint64(expected)}
	}
	var trailer metadata.MD
	answer, err := h.wire.Delete(authorised(h.ctx, h.config), &streams.DeleteReq{Options: o}, grpc.Trailer(&trailer))
	return answer, trailer, err
}

func (h *harness) tombstoneRaw(stream string, expected expectation) (*streams.TombstoneResp, metadata.MD, error) {
	o := &streams.TombstoneReq_Options{StreamIdentifier: name(stream)}
	switch expected {
	case anyRevision:
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_Any{Any: empty}
	case noStream:
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_NoStream{NoStream: empty}
	case streamExists:
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_StreamExists{StreamExists: empty}
	default:
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_Revision{Revision: uint64(expected)}
	}
	var trailer metadata.MD
	answer, err := h.wire.Tombstone(authorised(h.ctx, h.config), &streams.TombstoneReq{Options: o}, grpc.Trailer(&trailer))
	return answer, trailer, err
}

// readOption changes a read request.
type readOption func(*streams.ReadReq_Options)

// readStreamRequest asks for a whole stream forwards; options change that.
func readStreamRequest(stream string, options ...readOption) *streams.ReadReq {
	o := readRequest()
	o.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: name(stream),
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: empty},
	}}
	return changed(o, options)
}

// readAllRequest asks for the whole of $all forwards; options change that.
func readAllRequest(options ...readOption) *streams.ReadReq {
	o := readRequest()
	o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: empty},
	}}
	return changed(o, options)
}

func readRequest() *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		CountOption:  &streams.ReadReq_Options_Count{Count: math.MaxInt32},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: empty},
		UuidOption: &streams.ReadReq_Options_UUIDOption{
			Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: empty},
		},
	}
}

func changed(o *streams.ReadReq_Options, options []readOption) *streams.ReadReq {
	for _, option := range options {
		option(o)
	}
	return &streams.ReadReq{Options: o}
}

func backwards(o *streams.ReadReq_Options) { o.ReadDirection = streams.ReadReq_Options_Backwards }

func subscribed(o *streams.ReadReq_Options) {
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
}

// showingEnds asks for the first and last positions of the stream beside its
// events, as newer clients do.
func showingEnds(o *streams.ReadReq_Options) {
	o.ControlOption = &streams.ReadReq_Options_ControlOption{Compatibility: 1}
}

func textIDs(o *streams.ReadReq_Options) {
	o.UuidOption = &streams.ReadReq_Options_UUIDOption{
		Content: &streams.ReadReq_Options_UUIDOption_String_{String_: empty},
	}
}

func count(n uint64) readOption {
	return func(o *streams.ReadReq_Options) { o.CountOption = &streams.ReadReq_Options_Count{Count: n} }
}

func fromRevision(revision uint64) readOption {
	return func(o *streams.ReadReq_Options) {
		o.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: revision}
	}
}

func fromEnd(o *streams.ReadReq_Options) {
	if s := o.GetStream(); s != nil {
		s.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: empty}
		return
	}
	o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_End{End: empty}
}

// answers reads to the end of the call.
func (h *harness) answers(req *streams.ReadReq) ([]*streams.ReadResp, metadata.MD, error) {
	return answersOf(authorised(h.ctx, h.config), h.wire, req)
}

func answersOf(ctx context.Context, client streams.StreamsClient, req *streams.ReadReq) ([]*streams.ReadResp, metadata.MD, error) {
	call, err := client.Read(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	var got []*streams.ReadResp
	for {
		answer, err := call.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return got, call.Trailer(), nil
		case err != nil:
			return got, call.Trailer(), err
		}
		got = append(got, answer)
	}
}

// mustAnswer reads to the end of a call that the server must not refuse.
func (h *harness) mustAnswer(req *streams.ReadReq) []*streams.ReadResp {
	h.Helper()
	got, _, err := h.answers(req)
	if err != nil {
		h.Fatalf("read: %v", err)
	}
	return got
}

// opened asks whether the server opens a subscription, and does not wait for
// its end, which may never come.
func (h *harness) opened(req *streams.ReadReq) error {
	ctx, cancel := context.WithCancel(authorised(h.ctx, h.config))
	defer cancel()
	call, err := h.wire.Read(ctx, req)
	if err == nil {
		_, err = call.Recv()
	}
	return err
}
