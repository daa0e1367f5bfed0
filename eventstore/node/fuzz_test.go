package node

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"portal.example/eventstore/node/journal"
)

// fuzzService is a service on a journal with a little history.
func fuzzService(f *testing.F) *streamsService {
	f.Helper()
	j, err := journal.Open(f.TempDir(), journal.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = j.Close() })
	e := journal.Event{ID: [16]byte{1}, Type: "Noted", JSON: true, Data: []byte(`{}`)}
	link := journal.Event{ID: [16]byte{2}, Type: "$>", Data: []byte("0@s-1")}
	for _, stream := range []string{"s-1", "s-2", "$links"} {
		if _, err := j.Append(context.Background(), stream, journal.Any, []journal.Event{e, link}); err != nil {
			f.Fatal(err)
		}
	}
	return newStreamsService(context.Background(), j, time.Second)
}

// sink is a call whose answers go nowhere; it ends itself after some, so that a
// subscription comes to an end.
type sink struct {
	grpc.ServerStream
	ctx    context.Context //nolint:containedctx // what grpc asks of a stream
	cancel context.CancelFunc
	left   int
}

func (s *sink) Context() context.Context { return s.ctx }

func (s *sink) Send(m *streams.ReadResp) error { return s.SendMsg(m) }

func (s *sink) SendMsg(m any) error {
	if _, err := newCodec().Marshal(m); err != nil {
		return err
	}
	if resp, ok := m.(*streams.ReadResp); ok && resp.GetCaughtUp() != nil {
		s.cancel()
	}
	if s.left--; s.left < 0 {
		return io.EOF
	}
	return nil
}

func FuzzReadRequest(f *testing.F) {
	service := fuzzService(f)
	for _, o := range []*streams.ReadReq_Options{
		nil,
		{
			StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}}},
			CountOption:  &streams.ReadReq_Options_Count{Count: 10}, ReadDirection: streams.ReadReq_Options_Backwards, ResolveLinks: true,
		},
		{
			StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
				StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s-1")},
				RevisionOption:   &streams.ReadReq_Options_StreamOptions_Revision{Revision: 1},
			}},
			CountOption: &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
		},
		{
			StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}},
			CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
			FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
				Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^s-"}},
				Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 2}, CheckpointIntervalMultiplier: 1,
			}},
		},
	} {
		if o != nil {
			o.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}}
			if o.GetFilterOption() == nil {
				o.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
			}
		}
		b, err := proto.Marshal(&streams.ReadReq{Options: o})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req streams.ReadReq
		if proto.Unmarshal(b, &req) != nil {
			return // grpc refuses what is no message before the node gets it
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := service.Read(&req, &sink{ctx: ctx, cancel: cancel, left: 1000})
		switch status.Code(err) {
		case codes.Internal, codes.DataLoss, codes.DeadlineExceeded:
			t.Errorf("%v: %v", &req, err)
		default:
		}
	})
}

// script is an append whose messages were made up by the fuzzer.
type script struct {
	sink
	messages []*streams.AppendReq
	answer   *streams.AppendResp
}

func (s *script) Recv() (*streams.AppendReq, error) {
	if len(s.messages) == 0 {
		return nil, io.EOF
	}
	m := s.messages[0]
	s.messages = s.messages[1:]
	return m, nil
}

func (s *script) SendAndClose(a *streams.AppendResp) error {
	s.answer = a
	return nil
}

func FuzzAppendMessages(f *testing.F) {
	service := fuzzService(f)
	options, err := proto.Marshal(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("s-1")},
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}})
	if err != nil {
		f.Fatal(err)
	}
	event, err := proto.Marshal(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: 1, LeastSignificantBits: 2}}},
		Metadata: map[string]string{"type": "Noted", "content-type": "application/json"},
		Data:     []byte(`{}`),
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(options, event)
	f.Add(event, options)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := &script{}
		for _, b := range [][]byte{first, second} {
			m := &streams.AppendReq{}
			if proto.Unmarshal(b, m) != nil {
				return // grpc refuses what is no message before the node gets it
			}
			s.messages = append(s.messages, m)
		}
		s.ctx, s.cancel = context.WithTimeout(context.Background(), 5*time.Second)
		defer s.cancel()
		err := service.Append(s)
		if err == nil && s.answer == nil {
			t.Error("neither an answer nor an error")
		}
		switch status.Code(err) {
		case codes.Internal, codes.DataLoss, codes.DeadlineExceeded:
			t.Errorf("%v: %v", s.messages, err)
		default:
		}
	})
}

func FuzzBatchAppendMessages(f *testing.F) {
	service := fuzzService(f)
	whole := finalPart("s-1", 2)
	first, last := proto.Clone(whole).(*streams.BatchAppendReq), proto.Clone(whole).(*streams.BatchAppendReq)
	first.IsFinal, last.Options = false, nil
	unknown := proto.Clone(whole).(*streams.BatchAppendReq)
	unknown.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01}) // field 127
	for _, parts := range [][2]*streams.BatchAppendReq{{whole, whole}, {first, last}, {last, first}, {unknown, {}}} {
		var seed [2][]byte
		for i := range parts {
			var err error
			if seed[i], err = proto.Marshal(parts[i]); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s := &batchScript{ctx: ctx}
		begun := map[string]int{}
		for _, message := range [][]byte{a, b} {
			part := &streams.BatchAppendReq{}
			if proto.Unmarshal(message, part) != nil {
				return // grpc refuses what is no message before the node gets it
			}
			s.parts = append(s.parts, part)
			if part.GetOptions() != nil {
				begun[part.GetCorrelationId().String()]++
			}
		}
		err := service.BatchAppend(s)
		for _, answer := range s.answers {
			id := answer.GetCorrelationId().String()
			if begun[id]--; begun[id] < 0 {
				t.Errorf("%v: an answer that nobody waits for: %v", s.parts, answer)
			}
			if _, err := newCodec().Marshal(answer); err != nil {
				t.Errorf("%v: %v", answer, err)
			}
			switch codes.Code(answer.GetError().GetCode()) {
			case codes.Internal, codes.DataLoss, codes.Unknown:
				t.Errorf("%v: %v", s.parts, answer)
			default:
			}
		}
		if code := status.Code(err); code != codes.OK && code != codes.InvalidArgument {
			t.Errorf("%v: %v", s.parts, err)
		}
	})
}

// What a client may ask for as a group must be stored and read back the same,
// for a group that is stored is started at every start of the node.
func FuzzCreateGroup(f *testing.F) {
	ofAll := createRequest("", "g")
	ofAll.Options.StreamOption = &persistent.CreateReq_Options_All{All: &persistent.CreateReq_AllOptions{
		AllOption: &persistent.CreateReq_AllOptions_End{End: &shared.Empty{}},
		FilterOption: &persistent.CreateReq_AllOptions_Filter{Filter: &persistent.CreateReq_AllOptions_FilterOptions{
			Filter: &persistent.CreateReq_AllOptions_FilterOptions_StreamIdentifier{
				StreamIdentifier: &persistent.CreateReq_AllOptions_FilterOptions_Expression{Regex: "^s-"},
			},
		}},
	}}
	for _, request := range []*persistent.CreateReq{{}, createRequest("s-1", "g"), ofAll} {
		seed, err := proto.Marshal(request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		request := &persistent.CreateReq{}
		if proto.Unmarshal(message, request) != nil {
			return // grpc refuses what is no message before the node gets it
		}
		entry, at, err := createdGroup(request.GetOptions())
		if err != nil {
			return
		}
		entry.StartPosition, entry.From = at.text(entry.Stream), at.place
		data, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		var stored storedGroup
		if err := json.Unmarshal(data, &stored); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entry, stored, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("stored and read (-was +is):\n%s", diff)
		}
		if _, err := stored.Filter.compile(); err != nil {
			t.Error(err)
		}
		if err := stored.settings().Check(); err != nil {
			t.Error(err)
		}
	})
}
