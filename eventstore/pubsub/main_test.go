package pubsub_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// restartCommand makes this test binary ask the one that runs the tests to restart
// its log: Watermill's suite restarts a broker by running a program.
const restartCommand = "restart"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == restartCommand {
		if err := askForRestart(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// askForRestart returns when the log is there again.
func askForRestart(address string) error {
	conn, err := net.Dial("tcp", address) //nolint:noctx,gosec // loopback answers at once, and the address is this program's own
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) > 0 {
		err = fmt.Errorf("restart of the log: %s", answer)
	}
	return err
}

// eventLog is a node that can be restarted.
type eventLog struct {
	t      *testing.T
	config node.Config
	mu     sync.Mutex
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

func (l *eventLog) restart() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.node.Close(); err != nil {
		return err
	}
	return l.start()
}

// restarter is the program that restarts the log.
func (l *eventLog) restarter() []string {
	l.t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(l.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			if err := l.restart(); err != nil {
				fmt.Fprint(conn, err)
			}
			_ = conn.Close()
		}
	}()
	program, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	return []string{program, restartCommand, listener.Addr().String()}
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
