package eventstore_test

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"portal.example/eventstore"
)

// Each of these answers ends the process, panics, or passes for success in the
// esdb client as it is.
func TestAnswersThatBreakTheProtocolAreErrors(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(streams.Streams_ReadServer) error{
		"no creation time": func(call streams.Streams_ReadServer) error {
			e := recordedAt(1)
			delete(e.Metadata, "created")
			return call.Send(eventMessage(e))
		},
		"a creation time that is none": func(call streams.Streams_ReadServer) error {
			e := recordedAt(1)
			e.Metadata["created"] = "yesterday"
			return call.Send(eventMessage(e))
		},
		"an event without a stream": func(call streams.Streams_ReadServer) error {
			e := recordedAt(1)
			e.StreamIdentifier = nil
			return call.Send(eventMessage(e))
		},
		"no event": func(call streams.Streams_ReadServer) error {
			return call.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{}}})
		},
		"only a link": func(call streams.Streams_ReadServer) error {
			return call.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{
				Event: &streams.ReadResp_ReadEvent{Link: recordedAt(1)},
			}})
		},
		"an order that is none": func(call streams.Streams_ReadServer) error {
			return errors.Join(sendEvents(call, 5, 5), sendEvents(call, 3, 3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &fake{read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
				if o.GetSubscription() != nil {
					if err := confirm(call); err != nil {
						return err
					}
				}
				return send(call)
			}}
			client := connect(t, insecure(server.serve(t)))
			subscription := client.Subscribe(patience(t), eventstore.SubscribeOptions{})
			defer subscription.Close()
			for what, err := range map[string]error{
				"stream":       drain(client.ReadStream(patience(t), "counter-1", 0)),
				"log":          drain(client.ReadAll(patience(t), eventstore.Start())),
				"subscription": failure(t, subscription),
			} {
				if !errors.Is(err, eventstore.ErrFault) {
					t.Errorf("%s: got %v, want ErrFault", what, err)
				}
			}
		})
	}

	t.Run("a message that is out of place", func(t *testing.T) {
		t.Parallel()
		server := &fake{read: func(_ *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
			return sendCaughtUp(call)
		}}
		client := connect(t, insecure(server.serve(t)))
		_, err := client.Head(patience(t))
		if !errors.Is(err, eventstore.ErrFault) {
			t.Errorf("head: got %v, want ErrFault", err)
		}
		if err := drain(client.ReadStream(patience(t), "counter-1", 0)); !errors.Is(err, eventstore.ErrFault) {
			t.Errorf("stream: got %v, want ErrFault", err)
		}
	})
	t.Run("an append without a result", func(t *testing.T) {
		t.Parallel()
		server := &fake{append: func(call streams.Streams_AppendServer) error {
			return call.SendAndClose(&streams.AppendResp{})
		}}
		client := connect(t, insecure(server.serve(t)))
		if _, err := client.Append(patience(t), "counter-1", eventstore.Any(), event(0)); !errors.Is(err, eventstore.ErrFault) {
			t.Errorf("got %v, want ErrFault", err)
		}
	})
	t.Run("gossip of an address that is none", func(t *testing.T) {
		t.Parallel()
		cable := layCable(t)
		var asked atomic.Int32
		server := &fake{
			gossip: func() *gossip.ClusterInfo {
				if asked.Add(1) == 1 {
					return memberAt("%zz:2113")
				}
				return memberAt(cable.addr())
			},
			read: func(_ *streams.ReadReq_Options, call streams.Streams_ReadServer) error { return sendEvents(call, 1, 1) },
		}
		cable.plug(server.serve(t))
		client := connect(t, "esdb+discover://"+cable.addr()+"?tls=false")
		if _, err := client.Head(patience(t)); err != nil {
			t.Errorf("after better gossip: %v", err)
		}
	})
}

func memberAt(address string) *gossip.ClusterInfo {
	host, port, _ := strings.Cut(address, ":")
	number, _ := strconv.ParseUint(port, 10, 16)
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		State: gossip.MemberInfo_Leader, IsAlive: true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(number)},
	}}}
}

// failure is what the subscription ends with.
func failure(t *testing.T, s *eventstore.Subscription) error {
	t.Helper()
	for {
		if _, err := s.NextBatch(patience(t), 100); err != nil {
			return err
		}
	}
}

func TestRefusalsKeepTheirKind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		code     codes.Code
		trailers []string
		want     error
	}{
		{"a deleted stream", codes.FailedPrecondition, []string{"exception", "stream-deleted", "stream-name", "counter-1"}, eventstore.ErrStreamDeleted},
		{"a deleted stream without its name", codes.FailedPrecondition, []string{"exception", "stream-deleted"}, eventstore.ErrFault},
		{"unknown credentials", codes.Unauthenticated, nil, eventstore.ErrAccessDenied},
		{"insufficient credentials", codes.PermissionDenied, []string{"exception", "access-denied"}, eventstore.ErrAccessDenied},
		{"an invalid request", codes.InvalidArgument, nil, eventstore.ErrInvalid},
		{"a call that is not offered", codes.Unimplemented, nil, eventstore.ErrFault},
		{"a corrupt log", codes.DataLoss, nil, eventstore.ErrFault},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := &fake{
				read: func(_ *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
					return exception(call, test.code, test.trailers...)
				},
				append: func(call streams.Streams_AppendServer) error {
					return exception(call, test.code, test.trailers...)
				},
			}
			client := connect(t, insecure(server.serve(t)))
			subscription := client.Subscribe(patience(t), eventstore.SubscribeOptions{Filter: eventstore.UserEvents()})
			defer subscription.Close()
			_, appendErr := client.Append(patience(t), "counter-1", eventstore.NoStream(), event(0))
			for what, err := range map[string]error{
				"append":       appendErr,
				"stream":       drain(client.ReadStream(patience(t), "counter-1", 0)),
				"subscription": failure(t, subscription),
			} {
				if !errors.Is(err, test.want) {
					t.Errorf("%s: got %v, want %v", what, err, test.want)
				}
			}
		})
	}
}
