package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// The node itself takes batches, whichever way they come and after a restart, too:
// that appends succeed would not show it.
func TestTheNodeTakesBatches(t *testing.T) {
	t.Parallel()
	l := startLog(t)
	within := eventstore.Config{ConnectionString: l.running.ConnectionString(), Dial: l.running.Dial}
	takesTogether(t, l, "within-1", connectWith(t, within))
	network := l.connect()
	takesTogether(t, l, "network-1", network)
	l.restart()
	takesTogether(t, l, "network-2", network)
}

func takesTogether(t *testing.T, l *restartable, stream string, client *eventstore.Client) {
	t.Helper()
	config, err := esdb.ParseConnectionString(l.running.ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	reader, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx := patience(t)
	said := []eventstore.Proposed{
		{ID: uuid.New(), Type: "Said", Data: []byte(`{"a":1}`), Metadata: []byte(`{"m":1}`)},
		{ID: uuid.New(), Type: "Drawn", Data: []byte{0xff, 0}, Metadata: []byte(`{"m":2}`), Binary: true},
	}
	// Until the call that this stream goes over is open: each opens by itself.
	at, together := eventstore.Appended{}, false
	for !together && ctx.Err() == nil {
		at, together = client.AppendTogether(ctx, stream, eventstore.NoStream(), said...)
	}
	if !together || at.Revision != 1 {
		t.Fatalf("%s: %+v, %v", stream, at, together)
	}
	if _, together := client.AppendTogether(ctx, stream, eventstore.NoStream(), event(0)); together {
		t.Errorf("%s: a conflict was taken for a success", stream)
	}
	read, err := reader.ReadStream(ctx, stream, esdb.ReadStreamOptions{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for _, want := range said {
		got, err := read.Recv()
		if err != nil {
			t.Fatal(err)
		}
		e := got.Event
		if e.EventID != want.ID || e.EventType != want.Type || !bytes.Equal(e.Data, want.Data) ||
			!bytes.Equal(e.UserMetadata, want.Metadata) || (e.ContentType == "application/json") == want.Binary {
			t.Errorf("%s: got %+v, want %+v", stream, e, want)
		}
	}
}

// The way within the process is as guarded as the network's.
func TestAppendsReachAnEmbeddedNodeWithinTheProcess(t *testing.T) {
	t.Parallel()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	var dialled atomic.Int32
	client := connectWith(t, eventstore.Config{
		ConnectionString: n.ConnectionString(),
		Dial: func(ctx context.Context) (net.Conn, error) {
			dialled.Add(1)
			return n.Dial(ctx)
		},
	})
	ctx := patience(t)
	for next := uint64(0); dialled.Load() == 0 || next < 100; next++ {
		got, err := client.Append(ctx, "counter-1", expected(next), event(next))
		if err != nil || got.Revision != next {
			t.Fatalf("event %d: %+v, %v", next, got, err)
		}
	}
	var wrong *eventstore.Error
	if _, err := client.Append(ctx, "counter-1", eventstore.NoStream(), event(0)); !errors.As(err, &wrong) ||
		!errors.Is(err, eventstore.ErrWrongExpected) || wrong.Current == nil {
		t.Errorf("a conflict: %v", err)
	}
}
