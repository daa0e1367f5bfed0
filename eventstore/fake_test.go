package eventstore_test

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// fake is a server that does what a test tells it to, right or wrong.
type fake struct {
	streams.UnimplementedStreamsServer
	read   func(*streams.ReadReq_Options, streams.Streams_ReadServer) error
	append func(streams.Streams_AppendServer) error
	batch  func(streams.Streams_BatchAppendServer) error // nil: it tells no features at all
	coy    bool                                          // about batches, among its features
	gossip func() *gossip.ClusterInfo
	said   atomic.Pointer[streams.AppendReq_ProposedMessage] // the last event appended by itself
	group  groups                                            // what it does with persistent subscriptions
	greet  func()                                            // before it tells its features, which every client asks first
}

func (f *fake) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	return f.read(request.GetOptions(), call)
}

// Append lets the client finish before it answers, as a real server does.
func (f *fake) Append(call streams.Streams_AppendServer) error {
	for {
		part, err := call.Recv()
		if err != nil {
			return f.append(call)
		}
		if event := part.GetProposedMessage(); event != nil {
			f.said.Store(event)
		}
	}
}

// BatchAppend implements the Streams service.
func (f *fake) BatchAppend(call streams.Streams_BatchAppendServer) error { return f.batch(call) }

// members is the gossip service of a fake server.
type members struct {
	gossip.UnimplementedGossipServer
	of *fake
}

func (m members) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	return m.of.gossip(), nil
}

// groups is the PersistentSubscriptions service of a fake server.
type groups struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	consume func(persistent.PersistentSubscriptions_ReadServer) error
}

func (g groups) Read(call persistent.PersistentSubscriptions_ReadServer) error {
	return g.consume(call)
}

// features is the ServerFeatures service of a fake server: unless it takes batches
// it has none, as old servers.
type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
	of *fake
}

func (f features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	if f.of.greet != nil {
		f.of.greet()
	}
	if f.of.batch == nil {
		return nil, status.Error(codes.Unimplemented, "an old server")
	}
	methods := []*serverfeatures.SupportedMethod{{ServiceName: "event_store.client.streams.streams", MethodName: "append"}}
	if !f.of.coy {
		methods = append(methods, &serverfeatures.SupportedMethod{ServiceName: methods[0].ServiceName, MethodName: "batchappend"})
	}
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "23.10.0", Methods: methods}, nil
}

// serve starts the server and returns its address.
func (f *fake) serve(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// By default gRPC would end the connection of a client that pings as often as
	// this one, and so cut a silence short.
	server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
		MinTime: time.Second, PermitWithoutStream: true,
	}))
	streams.RegisterStreamsServer(server, f)
	gossip.RegisterGossipServer(server, members{of: f})
	serverfeatures.RegisterServerFeaturesServer(server, features{of: f})
	persistent.RegisterPersistentSubscriptionsServer(server, f.group)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil {
			t.Errorf("fake server: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}

func insecure(address string) string { return "esdb://" + address + "?tls=false&gossipTimeout=1" }

// recordedAt is an event as a sound server sends it, revision and position being n.
func recordedAt(n uint64) *streams.ReadResp_ReadEvent_RecordedEvent {
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               &shared.UUID{Value: &shared.UUID_String_{String_: "5f0cf77a-9a9d-4a9a-a6a5-a2bb8d1d4f2e"}},
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("counter-1")},
		StreamRevision:   n, PreparePosition: n, CommitPosition: n,
		Metadata: map[string]string{
			"type": "Counted", "content-type": "application/json", "created": strconv.Itoa(17_000_000_000_000_000),
		},
	}
}

func eventMessage(e *streams.ReadResp_ReadEvent_RecordedEvent) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: e, Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.GetCommitPosition()},
	}}}
}

func sendEvents(call streams.Streams_ReadServer, from, to uint64) error {
	for n := from; n <= to; n++ {
		if err := call.Send(eventMessage(recordedAt(n))); err != nil {
			return err
		}
	}
	return nil
}

func sendCheckpoint(call streams.Streams_ReadServer, n uint64) error {
	return call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: n, PreparePosition: n},
	}})
}

func sendCaughtUp(call streams.Streams_ReadServer) error {
	return call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func confirm(call streams.Streams_ReadServer) error {
	return call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "1"},
	}})
}

func appended(call streams.Streams_AppendServer, revision uint64) error {
	return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: revision},
		PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: 7, PreparePosition: 7}},
	}}})
}

// exception is a failure with trailers, as EventStoreDB explains its own.
func exception(call grpc.ServerStream, code codes.Code, trailers ...string) error {
	call.SetTrailer(metadata.Pairs(trailers...))
	return status.Error(code, "as the test wants it")
}

// silent answers nothing until the client gives up.
func silent(call grpc.ServerStream) error {
	<-call.Context().Done()
	return call.Context().Err()
}
