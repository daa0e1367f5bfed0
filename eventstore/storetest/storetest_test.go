package storetest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"portal.example/eventstore/node"
)

// serverVariable names a real EventStoreDB by the esdb:// connection string of
// an account that may do everything.
const serverVariable = "PORTAL_TEST_EVENTSTORE"

// tested collects what the run was against, for its last line.
var tested []string

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(serverVariable) == "" {
		tested = append(tested, "no EventStoreDB, since "+serverVariable+" names none")
	}
	fmt.Fprintln(os.Stdout, "storetest ran against: "+strings.Join(slices.Compact(tested), "; "))
	os.Exit(code)
}

func TestNode(t *testing.T) {
	tested = append(tested, "the embedded node")
	Run(t, Server{
		Name: "the embedded node",
		// Whole suites at once, under the race detector, make a client slow that
		// sends megabytes; silence is tested by itself.
		ConnectionString: startNode(t, node.Config{AppendTimeout: time.Minute}).AdminConnectionString(),
	})
}

func TestEventStoreDB(t *testing.T) {
	connection := os.Getenv(serverVariable)
	if connection == "" {
		t.Skipf("%s names no server", serverVariable)
	}
	tested = append(tested, "the server that "+serverVariable+" names")
	Run(t, Server{Name: "the server that " + serverVariable + " names", ConnectionString: connection})
}

func startNode(t *testing.T, config node.Config) *node.Node {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	n, err := node.Start(context.WithoutCancel(t.Context()), config)
	if err != nil {
		t.Fatalf("the node does not start: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("the node does not close: %v", err)
		}
	})
	return n
}
