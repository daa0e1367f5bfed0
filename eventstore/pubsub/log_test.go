package pubsub_test

import (
	"testing"
	"time"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// eventLog is a node that can be restarted.
type eventLog struct {
	t      *testing.T
	config node.Config
	node   *node.Node
}

func startLog(t *testing.T) *eventLog {
	t.Helper()
	l := &eventLog{t: t, config: node.Config{Dir: t.TempDir()}}
	if err := l.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.node.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *eventLog) start() (err error) {
	if l.node, err = node.Start(l.t.Context(), l.config); err == nil {
		l.config.Listen = l.node.Addr() // the next time, too
	}
	return err
}

// restart returns when the log is there again.
func (l *eventLog) restart() {
	l.t.Helper()
	if err := l.node.Close(); err != nil {
		l.t.Fatal(err)
	}
	if err := l.start(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *eventLog) connect() *eventstore.Client {
	l.t.Helper()
	client, err := eventstore.Connect(eventstore.Config{
		ConnectionString: l.node.ConnectionString(),
		Backoff:          eventstore.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = client.Close() })
	return client
}
