package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"portal.example/eventstore"
)

func TestContextsEndWhileTheLogIsAway(t *testing.T) {
	t.Parallel()
	l := startLog(t)
	client := connectWith(t, eventstore.Config{
		ConnectionString: l.connectionString(), Timeout: 100 * time.Millisecond,
	})
	fill(t, l.connect(), "counter-1", 1)
	subscription := client.Subscribe(t.Context(), eventstore.SubscribeOptions{})
	defer subscription.Close()
	l.stop()

	hurried := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	cancelled := func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(20*time.Millisecond, cancel)
		t.Cleanup(func() { timer.Stop() })
		return ctx
	}
	for _, wait := range []struct {
		name    string
		context func() context.Context
		want    []error
	}{
		{"deadline", hurried, []error{eventstore.ErrUnavailable, context.DeadlineExceeded}},
		{"cancelled", cancelled, []error{context.Canceled}},
		{"no deadline", t.Context, []error{eventstore.ErrUnavailable}},
	} {
		for name, call := range map[string]func(context.Context) error{
			"append": func(ctx context.Context) error {
				_, err := client.Append(ctx, "counter-1", eventstore.Exactly(0), event(1))
				return err
			},
			"read a stream": func(ctx context.Context) error { return drain(client.ReadStream(ctx, "counter-1", 0)) },
			"read all":      func(ctx context.Context) error { return drain(client.ReadAll(ctx, eventstore.Start())) },
			"head": func(ctx context.Context) error {
				_, err := client.Head(ctx)
				return err
			},
		} {
			t.Run(wait.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				err := call(wait.context())
				for _, want := range wait.want {
					if !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
			})
		}
	}
	t.Run("subscription", func(t *testing.T) {
		ctx := hurried()
		for { // what it received while the log was there comes first
			if _, err := subscription.NextBatch(ctx, 10); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				return
			}
		}
	})
}

func TestCloseEndsWhatIsInProgress(t *testing.T) {
	t.Parallel()
	l := startLog(t)
	fill(t, l.connect(), "counter-1", 1_000)
	for _, away := range []bool{false, true} {
		client := l.connect()
		subscription := client.Subscribe(t.Context(), eventstore.SubscribeOptions{Buffer: 10})
		if _, err := subscription.NextBatch(patience(t), 1); err != nil {
			t.Fatal(err)
		}
		if away {
			l.stop()
		}
		var busy, group sync.WaitGroup
		for w := range 8 {
			busy.Add(1)
			group.Go(func() {
				stream := fmt.Sprintf("closing%t-%d", away, w)
				busy.Done()
				var err error
				for n := uint64(0); err == nil; n++ {
					_, err = client.Append(t.Context(), stream, eventstore.Any(), event(n))
				}
				if !errors.Is(err, eventstore.ErrClosed) {
					t.Errorf("append: %v", err)
				}
			})
			group.Go(func() {
				var err error
				for err == nil {
					err = drain(client.ReadAll(t.Context(), eventstore.Start()))
				}
				if !errors.Is(err, eventstore.ErrClosed) {
					t.Errorf("read: %v", err)
				}
			})
		}
		group.Go(func() {
			var err error
			for err == nil {
				_, err = subscription.NextBatch(t.Context(), 10)
			}
			if !errors.Is(err, eventstore.ErrClosed) {
				t.Errorf("subscription: %v", err)
			}
		})
		busy.Wait()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
		if _, err := client.Head(t.Context()); !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
	}
}

// What an outage leaves behind in the esdb client and in gRPC would pile up. The
// test runs by itself: others' goroutines would be taken for its own.
func TestNothingIsLeftBehind(t *testing.T) {
	l := startLog(t)
	client := l.connect()
	ctx := patience(t)
	subscription := client.Subscribe(ctx, eventstore.SubscribeOptions{})
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			stream := fmt.Sprintf("writer-%d", w)
			var err error
			for n := uint64(0); err == nil; n++ {
				_, err = client.Append(ctx, stream, expected(n), event(n))
			}
			if !errors.Is(err, eventstore.ErrClosed) {
				t.Error(err)
			}
		})
	}
	for range 5 {
		if _, err := subscription.NextBatch(ctx, 100); err != nil {
			t.Fatal(err)
		}
		l.restart()
	}
	l.stop()
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()

	stacks := make([]byte, 1<<20)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		all := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(all, "google.golang.org/grpc") && !strings.Contains(all, "/esdb.") {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("left behind:\n%s", all)
		}
	}
}
