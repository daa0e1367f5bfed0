package eventstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// restartable is a node that can be taken away and brought back with its data.
// Its clients reach it through a cable, which is cut first: a node that stops
// would be polite to them.
type restartable struct {
	t       *testing.T
	dir     string
	cable   *cable
	running *node.Node
}

func startLog(t *testing.T) *restartable {
	t.Helper()
	l := &restartable{t: t, dir: t.TempDir(), cable: layCable(t)}
	l.start()
	t.Cleanup(l.stop)
	return l
}

func (l *restartable) start() {
	l.t.Helper()
	var err error
	if l.running, err = node.Start(l.t.Context(), node.Config{Dir: l.dir}); err != nil {
		l.t.Fatalf("start the log: %v", err)
	}
	l.cable.plug(l.running.Addr())
}

func (l *restartable) stop() {
	l.cable.cut()
	if l.running == nil {
		return
	}
	if err := l.running.Close(); err != nil {
		l.t.Errorf("stop the log: %v", err)
	}
	l.running = nil
}

func (l *restartable) restart() {
	l.t.Helper()
	l.stop()
	l.start()
}

func (l *restartable) connectionString() string {
	return strings.Replace(l.running.ConnectionString(), l.running.Addr(), l.cable.addr(), 1)
}

func (l *restartable) connect() *eventstore.Client {
	l.t.Helper()
	return connect(l.t, l.connectionString())
}

func connect(t *testing.T, connectionString string) *eventstore.Client {
	t.Helper()
	return connectWith(t, eventstore.Config{ConnectionString: connectionString})
}

// connectWith makes a client that is quick to try again.
func connectWith(t *testing.T, config eventstore.Config) *eventstore.Client {
	t.Helper()
	config.Backoff = eventstore.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}
	client, err := eventstore.Connect(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// event is the nth of a stream.
func event(n uint64) eventstore.Proposed {
	return eventstore.Proposed{
		ID: uuid.New(), Type: "Counted", Metadata: []byte(`{}`),
		Data: binary.BigEndian.AppendUint64(nil, n),
	}
}

// expected demands that the nth event is the next one.
func expected(n uint64) eventstore.Expected {
	if n == 0 {
		return eventstore.NoStream()
	}
	return eventstore.Exactly(n - 1)
}

// fill appends that many events of 2 KiB to a stream.
func fill(t *testing.T, client *eventstore.Client, stream string, total uint64) {
	t.Helper()
	for n := uint64(0); n < total; {
		first := n
		var batch []eventstore.Proposed
		for ; n < total && len(batch) < 500; n++ {
			e := event(n)
			e.Data = append(e.Data, make([]byte, 2<<10-len(e.Data))...)
			batch = append(batch, e)
		}
		if _, err := client.Append(t.Context(), stream, expected(first), batch...); err != nil {
			t.Fatal(err)
		}
	}
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestAppendsOutliveTheLogsAbsence(t *testing.T) {
	t.Parallel()
	const writers, each, outages = 16, 60, 3
	l := startLog(t)
	client := l.connect()
	ctx := patience(t)

	// The writers go on through the outages, each waiting for its last append,
	// so outages begin at given counts of acknowledged events.
	var acknowledged atomic.Int64
	outageDue := make(chan struct{}, outages)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			stream := fmt.Sprintf("writer-%d", w)
			for n := uint64(0); n < each; n++ {
				got, err := client.Append(ctx, stream, expected(n), event(n))
				if err != nil || got.Revision != n {
					t.Errorf("%s, event %d: revision %d, %v", stream, n, got.Revision, err)
					return
				}
				if total := acknowledged.Add(1); total%(writers*each/(outages+1)) == 0 && total < writers*each {
					outageDue <- struct{}{}
				}
			}
		})
	}
	for range outages {
		select {
		case <-outageDue:
			l.restart()
		case <-ctx.Done():
			t.Fatal("the writers are stuck")
		}
	}
	group.Wait()

	for w := range writers {
		stream, next := fmt.Sprintf("writer-%d", w), uint64(0)
		for e, err := range client.ReadStream(ctx, stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Revision != next || binary.BigEndian.Uint64(e.Data) != next {
				t.Fatalf("%s has event %d at %d where %d was due", stream, binary.BigEndian.Uint64(e.Data), e.Revision, next)
			}
			next++
		}
		if next != each {
			t.Errorf("%s has %d events, want %d", stream, next, each)
		}
	}
}

func TestReadsGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	const total = 2_000 // far more than is in flight when the connection breaks
	l := startLog(t)
	client := l.connect()
	fill(t, client, "counter-1", total)
	before := l.cable.connections()

	next := uint64(0)
	for e, err := range client.ReadStream(patience(t), "counter-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Revision != next {
			t.Fatalf("revision %d where %d was due", e.Revision, next)
		}
		if next++; next == 10 || next == total/2 {
			l.restart()
		}
	}
	if next != total {
		t.Errorf("read %d events of the stream, want %d", next, total)
	}
	if l.cable.connections() < before+2 {
		t.Error("the read was not interrupted twice")
	}

	next = 0
	var last eventstore.Position
	for e, err := range client.ReadAll(patience(t), eventstore.Start()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Position.Compare(last) <= 0 {
			t.Fatalf("position %s after %s", e.Position, last)
		}
		last = e.Position
		if e.Stream != "counter-1" {
			continue
		}
		if e.Revision != next {
			t.Fatalf("revision %d where %d was due", e.Revision, next)
		}
		if next++; next == total/2 {
			l.restart()
		}
	}
	if next != total {
		t.Errorf("read %d events of the log, want %d", next, total)
	}
	if head, err := client.Head(patience(t)); err != nil || head != last {
		t.Errorf("the head is %s (%v), want %s", head, err, last)
	}
}

func TestSubscriptionKeepsItsPosition(t *testing.T) {
	t.Parallel()
	const history, live = 1_500, 100
	l := startLog(t)
	client := l.connect()
	fill(t, client, "counter-1", history)
	fill(t, client, "noise-1", history)

	ctx := patience(t)
	subscription := client.Subscribe(ctx, eventstore.SubscribeOptions{
		Filter: eventstore.StreamPrefix("counter-"), CheckpointEvery: 320, Buffer: 100,
	})
	defer subscription.Close()

	var next uint64
	var last eventstore.Position
	var caughtUp, fellBehind int
	follow := func(until func() bool) {
		t.Helper()
		for !until() {
			batch, err := subscription.NextBatch(ctx, 64)
			if err != nil {
				t.Fatalf("after %d events: %v", next, err)
			}
			for _, notice := range batch {
				if notice.Position.Compare(last) < 0 {
					t.Fatalf("position %s after %s", notice.Position, last)
				}
				last = notice.Position
				switch notice.Kind {
				case eventstore.CaughtUp:
					caughtUp++
				case eventstore.FellBehind:
					fellBehind++
				case eventstore.EventAppeared:
					if notice.Event.Revision != next {
						t.Fatalf("revision %d where %d was due", notice.Event.Revision, next)
					}
					next++
				case eventstore.CheckpointReached:
				}
			}
		}
	}

	follow(func() bool { return next >= history/4 })
	l.restart() // in the midst of history
	follow(func() bool { return caughtUp == 1 })
	if next != history {
		t.Fatalf("caught up after %d events, want %d", next, history)
	}
	if head, err := client.Head(ctx); err != nil || last != head {
		t.Errorf("caught up at %s, the head is %s (%v)", last, head, err)
	}
	l.restart() // while live
	follow(func() bool { return fellBehind == 1 && caughtUp == 2 })
	for n := range uint64(live) {
		if _, err := client.Append(ctx, "counter-1", expected(history+n), event(history+n)); err != nil {
			t.Fatal(err)
		}
		if n%50 == 0 {
			l.restart()
		}
	}
	follow(func() bool { return next >= history+live })
}

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

// What an outage leaves behind in the esdb client and in gRPC would pile up.
func TestNothingIsLeftBehind(t *testing.T) { //nolint:paralleltest // others' goroutines would be taken for its own
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

func drain(events func(func(eventstore.Recorded, error) bool)) error {
	for _, err := range events {
		if err != nil {
			return err
		}
	}
	return nil
}
