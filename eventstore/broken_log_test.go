package eventstore_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
		server := &fake{gossip: func() *gossip.ClusterInfo {
			return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
				State: gossip.MemberInfo_Leader, IsAlive: true,
				HttpEndPoint: &gossip.EndPoint{Address: "%zz", Port: 2113},
			}}}
		}}
		client := connectWith(t, eventstore.Config{
			ConnectionString: "esdb+discover://" + server.serve(t) + "?tls=false", Timeout: 50 * time.Millisecond,
		})
		if _, err := client.Head(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) ||
			!strings.Contains(err.Error(), "member address") {
			t.Errorf("got %v", err)
		}
	})
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

func TestPassingTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.Canceled} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			var appends, reads atomic.Int32
			server := &fake{
				append: func(call streams.Streams_AppendServer) error {
					if appends.Add(1) < 3 {
						return status.Error(code, "not now")
					}
					return appended(call, 4)
				},
				read: func(_ *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
					if reads.Add(1) < 3 {
						return status.Error(code, "not now")
					}
					return sendEvents(call, 9, 9)
				},
			}
			client := connect(t, insecure(server.serve(t)))
			got, err := client.Append(patience(t), "counter-1", eventstore.Exactly(3), event(4))
			want := eventstore.Appended{Revision: 4, Position: eventstore.Position{Commit: 7, Prepare: 7}}
			if err != nil || got != want {
				t.Errorf("append: %v, %v", got, err)
			}
			head, err := client.Head(patience(t))
			if want := (eventstore.Position{Commit: 9, Prepare: 9}); err != nil || head != want {
				t.Errorf("head: %v, %v", head, err)
			}
		})
	}
}

// Left to itself the esdb client looks for the server again, leaks its old
// connection and blocks other calls meanwhile.
func TestLostConnectionIsNotForTheClientToReplace(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := &fake{
		append: func(call streams.Streams_AppendServer) error {
			if calls.Add(1) < 3 {
				return status.Error(codes.Unavailable, "not now")
			}
			return appended(call, 0)
		},
	}
	var said safeBuffer
	client := connectWith(t, eventstore.Config{
		ConnectionString: insecure(server.serve(t)),
		Logger:           slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if _, err := client.Append(patience(t), "counter-1", eventstore.NoStream(), event(0)); err != nil {
		t.Fatal(err)
	}
	if text := said.String(); !strings.Contains(text, "unexpected exception") || strings.Contains(text, "new discovery") {
		t.Errorf("the client said:\n%s", text)
	}
}

type safeBuffer struct {
	mu  sync.Mutex
	all strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

func TestReadResumesBehindWhatItHasSeen(t *testing.T) {
	t.Parallel()
	var asked []uint64 // the calls come one after another
	server := &fake{read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
		from := o.GetStream().GetRevision()
		asked = append(asked, from)
		if len(asked) == 1 {
			if err := sendEvents(call, from, 3); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "gone")
		}
		return sendEvents(call, from, 6)
	}}
	client := connect(t, insecure(server.serve(t)))
	var got []uint64
	for e, err := range client.ReadStream(patience(t), "counter-1", 2) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Revision)
	}
	if diff := cmp.Diff([]uint64{2, 3, 4, 5, 6}, got); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{2, 4}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// Whether a server includes the position that it resumes from, an event is
// delivered once; checkpoints count as progress, and never lead back.
func TestSubscriptionResumesBehindWhatItHasSeen(t *testing.T) {
	t.Parallel()
	var asked []uint64 // the calls come one after another
	server := &fake{read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
		asked = append(asked, o.GetAll().GetPosition().GetCommitPosition())
		err := confirm(call)
		switch len(asked) {
		case 1:
			err = errors.Join(err, sendEvents(call, 1, 2), sendCaughtUp(call))
		case 2:
			err = errors.Join(err, sendEvents(call, 2, 3), sendCheckpoint(call, 7))
		case 3:
			err = errors.Join(err, sendCheckpoint(call, 5), sendEvents(call, 8, 8))
			if err == nil {
				return silent(call)
			}
		}
		return errors.Join(err, status.Error(codes.Unavailable, "gone"))
	}}
	client := connect(t, insecure(server.serve(t)))
	subscription := client.Subscribe(patience(t), eventstore.SubscribeOptions{Filter: eventstore.TypePrefix("Count")})
	defer subscription.Close()

	type seen struct {
		Kind eventstore.NoticeKind
		At   uint64
	}
	want := []seen{
		{eventstore.EventAppeared, 1},
		{eventstore.EventAppeared, 2},
		{eventstore.CaughtUp, 2},
		{eventstore.FellBehind, 2},
		{eventstore.EventAppeared, 3},
		{eventstore.CheckpointReached, 7},
		{eventstore.EventAppeared, 8},
	}
	var got []seen
	for len(got) < len(want) {
		batch, err := subscription.NextBatch(patience(t), 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range batch {
			got = append(got, seen{n.Kind, n.Position.Commit})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{0, 2, 7}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

func TestSilenceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	server := &fake{
		read:   func(_ *streams.ReadReq_Options, call streams.Streams_ReadServer) error { return silent(call) },
		append: func(call streams.Streams_AppendServer) error { return silent(call) },
	}
	deaf := func() string { // accepts connections and never says a word
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		return listener.Addr().String()
	}
	for name, address := range map[string]string{"server": server.serve(t), "socket": deaf()} {
		client := connectWith(t, eventstore.Config{ConnectionString: insecure(address), Timeout: 50 * time.Millisecond})
		for name2, call := range map[string]func() error{
			"append": func() error {
				_, err := client.Append(t.Context(), "counter-1", eventstore.Any(), event(0))
				return err
			},
			"read": func() error { return drain(client.ReadStream(t.Context(), "counter-1", 0)) },
			"head": func() error { _, err := client.Head(t.Context()); return err },
		} {
			t.Run(name+"/"+name2, func(t *testing.T) {
				t.Parallel()
				if err := call(); !errors.Is(err, eventstore.ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
			})
		}
	}
}

func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := &fake{
		read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
			if calls.Add(1) == 1 {
				return silent(call)
			}
			if o.GetSubscription() == nil {
				return sendEvents(call, 1, 1)
			}
			if err := errors.Join(confirm(call), sendEvents(call, 1, 1)); err != nil {
				return err
			}
			return silent(call)
		},
		append: func(call streams.Streams_AppendServer) error {
			if calls.Add(1) == 1 {
				return silent(call)
			}
			return appended(call, 0)
		},
	}
	address := server.serve(t)
	for name, try := range map[string]func(*eventstore.Client) error{
		"append": func(c *eventstore.Client) error {
			_, err := c.Append(patience(t), "counter-1", eventstore.NoStream(), event(0))
			return err
		},
		"read": func(c *eventstore.Client) error { return drain(c.ReadStream(patience(t), "counter-1", 0)) },
		"subscription": func(c *eventstore.Client) error {
			s := c.Subscribe(t.Context(), eventstore.SubscribeOptions{})
			defer s.Close()
			_, err := s.NextBatch(patience(t), 1)
			return err
		},
	} {
		calls.Store(0)
		client := connectWith(t, eventstore.Config{ConnectionString: insecure(address), Timeout: 50 * time.Millisecond})
		if err := try(client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if calls.Load() < 2 {
			t.Errorf("%s: was not tried again", name)
		}
	}
}

// followerOf starts a server that sends writers on to the leader.
func followerOf(t *testing.T, leader *fake) (address string) {
	t.Helper()
	host, port, err := net.SplitHostPort(leader.serve(t))
	if err != nil {
		t.Fatal(err)
	}
	follower := &fake{append: func(call streams.Streams_AppendServer) error {
		return exception(call, codes.NotFound,
			"exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port)
	}}
	return follower.serve(t)
}

func TestFollowerSendsOnToTheLeader(t *testing.T) {
	t.Parallel()
	leader := &fake{append: func(call streams.Streams_AppendServer) error { return appended(call, 0) }}
	client := connect(t, insecure(followerOf(t, leader)))
	for n := range uint64(3) {
		if _, err := client.Append(patience(t), "counter-"+strconv.FormatUint(n, 10), eventstore.NoStream(), event(0)); err != nil {
			t.Fatal(err)
		}
	}
}

// While the esdb client changes over to a leader it blocks its callers.
func TestContextsEndWhileTheLeaderIsSilent(t *testing.T) {
	t.Parallel()
	speak := make(chan struct{})
	leader := &fake{greet: func() { <-speak }}
	client := connect(t, "esdb://"+followerOf(t, leader)+"?tls=false&gossipTimeout=3600")
	defer close(speak)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := client.Append(ctx, "counter-1", eventstore.NoStream(), event(0))
		failed <- err
	}()
	select {
	case err := <-failed:
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	case <-patience(t).Done():
		t.Error("the call goes on beyond its context")
	}
}

func TestRequestsThatCannotSucceed(t *testing.T) {
	t.Parallel()
	client := connect(t, "esdb://nobody.invalid:2113") // none of them gets as far as that
	defer func() { _ = client.Close() }()
	nameless, typeless, large := event(0), event(0), event(0)
	nameless.ID = [16]byte{}
	typeless.Type = ""
	large.Data = make([]byte, eventstore.MaxAppendSize)

	for _, test := range []struct {
		name   string
		stream string
		events []eventstore.Proposed
		want   error
	}{
		{"no stream", "", []eventstore.Proposed{event(0)}, eventstore.ErrInvalid},
		{"no events", "counter-1", nil, eventstore.ErrInvalid},
		{"no id", "counter-1", []eventstore.Proposed{event(0), nameless}, eventstore.ErrInvalid},
		{"no type", "counter-1", []eventstore.Proposed{typeless}, eventstore.ErrInvalid},
		{"too large", "counter-1", []eventstore.Proposed{large}, eventstore.ErrTooLarge},
	} {
		if _, err := client.Append(t.Context(), test.stream, eventstore.Any(), test.events...); !errors.Is(err, test.want) {
			t.Errorf("append, %s: got %v, want %v", test.name, err, test.want)
		}
	}
	if err := drain(client.ReadStream(t.Context(), "", 0)); !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("read without a stream: got %v", err)
	}
	for name, filter := range map[string]eventstore.Filter{
		"no prefix":       eventstore.StreamPrefix(),
		"an empty prefix": eventstore.TypePrefix("A", ""),
		"no expression":   eventstore.StreamMatches(""),
	} {
		subscription := client.Subscribe(t.Context(), eventstore.SubscribeOptions{Filter: filter})
		defer subscription.Close()
		if _, err := subscription.NextBatch(t.Context(), 1); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("subscription, %s: got %v", name, err)
		}
	}
	subscription := client.Subscribe(t.Context(), eventstore.SubscribeOptions{})
	if _, err := subscription.NextBatch(t.Context(), 0); !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("a batch of none: got %v", err)
	}
	subscription.Close()
	if _, err := subscription.NextBatch(t.Context(), 1); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("after closing: got %v", err)
	}
}

func TestErrorsSayWhatWhereAndWhy(t *testing.T) {
	t.Parallel()
	l := startLog(t)
	client := l.connect()
	fill(t, client, "counter-1", 3)

	_, err := client.Append(t.Context(), "counter-1", eventstore.Exactly(0), event(1))
	var failure *eventstore.Error
	if !errors.Is(err, eventstore.ErrWrongExpected) || !errors.As(err, &failure) {
		t.Fatalf("got %v, want ErrWrongExpected", err)
	}
	if failure.Current == nil || *failure.Current != 2 || failure.Stream != "counter-1" {
		t.Errorf("the error is about %q at %v", failure.Stream, failure.Current)
	}
	_, err = client.Append(t.Context(), "counter-2", eventstore.Exactly(0), event(1))
	if !errors.As(err, &failure) || !errors.Is(err, eventstore.ErrWrongExpected) || failure.Current != nil {
		t.Errorf("a stream that is not there: %v at %v", err, failure.Current)
	}
	if err := drain(client.ReadStream(t.Context(), "counter-2", 0)); !errors.Is(err, eventstore.ErrStreamNotFound) ||
		!strings.Contains(err.Error(), `"counter-2"`) {
		t.Errorf("a read of what is not there: %v", err)
	}

	unreachable := connect(t, "esdb://127.0.0.1:1?tls=false")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := unreachable.Head(ctx); !errors.Is(err, eventstore.ErrUnavailable) ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
}
