package memserver

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// service implements what the benchmark calls: Append, and Read of $all
// forwards from the start. Everything else answers Unimplemented.
type service struct {
	streams.UnimplementedStreamsServer

	form func(*streams.ReadResp) (any, error) // how an event is kept

	mu     sync.Mutex
	log    []any             // each event as the answer that carries it, in that form
	events map[string]uint64 // how many a stream has
}

func newService(options Options) *service {
	s := &service{form: asMessage, events: map[string]uint64{}}
	if options.Encoded {
		s.form = asBytes
	}
	return s
}

func asMessage(response *streams.ReadResp) (any, error) { return response, nil }

func asBytes(response *streams.ReadResp) (any, error) {
	bytes, err := proto.Marshal(response)
	return encoded(bytes), err
}

func (s *service) Append(call streams.Streams_AppendServer) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	options := first.GetOptions()
	if options == nil {
		return status.Error(codes.InvalidArgument, "the first message must be the options")
	}
	var proposed []*streams.AppendReq_ProposedMessage
	for {
		request, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		proposed = append(proposed, request.GetProposedMessage())
	}
	response, err := s.append(options, proposed)
	if err != nil {
		return err
	}
	return call.SendAndClose(response)
}

func (s *service) append(
	options *streams.AppendReq_Options, proposed []*streams.AppendReq_ProposedMessage,
) (*streams.AppendResp, error) {
	name := string(options.GetStreamIdentifier().GetStreamName())
	created := strconv.FormatInt(time.Now().UnixNano()/100, 10) // ticks of 100 ns

	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.events[name]
	if !asExpected(options, next) {
		return nil, status.Errorf(codes.FailedPrecondition, "stream %q has %d events", name, next)
	}
	for _, event := range proposed {
		message, err := s.form(record(event, options.GetStreamIdentifier(), next, uint64(len(s.log))+1, created))
		if err != nil {
			return nil, err
		}
		s.log = append(s.log, message)
		next++
	}
	s.events[name] = next
	position := uint64(len(s.log))
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: next - 1},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: position, PreparePosition: position,
		}},
	}}}, nil
}

func asExpected(options *streams.AppendReq_Options, next uint64) bool {
	switch expected := options.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return expected.Revision+1 == next
	case *streams.AppendReq_Options_NoStream:
		return next == 0
	case *streams.AppendReq_Options_StreamExists:
		return next > 0
	default:
		return true
	}
}

func record(
	event *streams.AppendReq_ProposedMessage, stream *shared.StreamIdentifier,
	revision, position uint64, created string,
) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               event.GetId(),
			StreamIdentifier: stream,
			StreamRevision:   revision,
			PreparePosition:  position,
			CommitPosition:   position,
			Metadata: map[string]string{
				"type":         event.GetMetadata()["type"],
				"content-type": event.GetMetadata()["content-type"],
				"created":      created,
			},
			CustomMetadata: event.GetCustomMetadata(),
			Data:           event.GetData(),
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
	}}}
}

func (s *service) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	options := request.GetOptions()
	if options.GetAll().GetStart() == nil || options.GetFilter() != nil ||
		options.GetReadDirection() != streams.ReadReq_Options_Forwards {
		return status.Error(codes.Unimplemented, "memserver reads $all forwards from its start, unfiltered")
	}
	s.mu.Lock()
	log := s.log // only ever appended to: what is seen here stays as it is
	s.mu.Unlock()

	if options.GetSubscription() == nil {
		return sendAll(call, log[:min(uint64(len(log)), options.GetCount())])
	}
	if err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "memserver"},
	}}); err != nil {
		return err
	}
	if err := sendAll(call, log); err != nil {
		return err
	}
	if err := call.Send(&streams.ReadResp{
		Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}},
	}); err != nil {
		return err
	}
	<-call.Context().Done() // live events are not what is measured here
	return nil
}

func sendAll(call streams.Streams_ReadServer, log []any) error {
	for _, message := range log {
		if err := call.SendMsg(message); err != nil {
			return err
		}
	}
	return nil
}
