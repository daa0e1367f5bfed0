package eventstore_test

import (
	"context"
	"encoding/binary"
	"strings"
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

func drain(events func(func(eventstore.Recorded, error) bool)) error {
	for _, err := range events {
		if err != nil {
			return err
		}
	}
	return nil
}
