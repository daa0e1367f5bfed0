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

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore"
)

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

// A full disk lasts: the caller is told at once, and by a kind of its own.
func TestAFullDiskIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var appends atomic.Int32
	full, err := status.New(codes.ResourceExhausted, "the disk of log is full").
		WithDetails(&errdetails.ErrorInfo{Reason: eventstore.DiskFull})
	if err != nil {
		t.Fatal(err)
	}
	server := &fake{append: func(streams.Streams_AppendServer) error { appends.Add(1); return full.Err() }}
	client := connect(t, insecure(server.serve(t)))
	_, err = client.Append(patience(t), "counter-1", eventstore.NoStream(), event(0))
	var failure *eventstore.Error
	if !errors.As(err, &failure) || !errors.Is(failure.Kind, eventstore.ErrFull) || !errors.Is(err, eventstore.ErrUnavailable) ||
		!strings.Contains(err.Error(), "the disk of log is full") {
		t.Errorf("got %v", err)
	}
	if n := appends.Load(); n != 1 {
		t.Errorf("tried %d times", n)
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
	leader := &fake{
		greet:  func() { <-speak },
		append: func(call streams.Streams_AppendServer) error { return appended(call, 0) },
	}
	client := connect(t, "esdb://"+followerOf(t, leader)+"?tls=false&gossipTimeout=3600")

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
	close(speak)
	if _, err := client.Append(patience(t), "counter-1", eventstore.NoStream(), event(0)); err != nil {
		t.Errorf("once the leader speaks: %v", err)
	}
}
