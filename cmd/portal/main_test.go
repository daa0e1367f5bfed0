package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

func TestMisuseExitsWith2AndNamesIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nonsense"}, `"nonsense"`},
		{[]string{"events", "nonsense"}, `"nonsense"`},
		{[]string{"events"}, "subcommand"},
		{[]string{"node"}, "--data"},
		{[]string{"node", "--data", "x", "--listen", "here"}, `"here"`},
		{[]string{"node", "--data", "x", "--listen", "127.0.0.1:99999"}, "99999"},
		{[]string{"node", "--data", "x", "--listen", "0.0.0.0:0", "--insecure"}, "loopback"},
		{[]string{"node", "--port", "1"}, "--port"},
		{[]string{"node", "--data", "x", "--permanent", "quote,a-b"}, `"a-b"`},
		{[]string{"node", "--data", "x", "extra"}, `"extra"`},
	} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), c.args, &out, &errs); status != exitMisused {
			t.Errorf("%v: exit status %d", c.args, status)
		}
		if line := strings.TrimSpace(errs.String()); !strings.Contains(line, c.want) || strings.Contains(line, "\n") {
			t.Errorf("%v: said %q", c.args, line)
		}
	}
}

func TestHelpTellsExitStatuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"node", "--help"}, {"events", "--help"}, {"events", "stats", "--help"}, {"backup", "--help"}, {"restore", "--help"}} {
		var out bytes.Buffer
		if status := run(t.Context(), args, &out, io.Discard); status != exitOK || !strings.Contains(out.String(), "Exit status") {
			t.Errorf("%v: status %d, help %q", args, status, out.String())
		}
	}
}

// stats runs `portal events stats --json` on a folder.
func stats(t *testing.T, dir string) logStats {
	t.Helper()
	t.Setenv("PORTAL_DATA", dir)
	t.Setenv("PORTAL_EVENTSTORE", "")
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"events", "stats", "--json"}, &out, &errs); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	var s logStats
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	return s
}

// A subcommand reads the log through the node that serves it, and opens the
// folder itself where nobody does.
func TestSubcommandsShareTheLog(t *testing.T) {
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, kind := range []string{"QuoteSent", "QuoteSent", "QuoteViewed"} {
		e := eventstore.Proposed{ID: uuid.New(), Type: kind, Data: []byte(`{}`)}
		if _, err := client.Append(t.Context(), "quote-1", eventstore.Any(), e); err != nil {
			t.Fatal(err)
		}
	}
	beside := stats(t, dir)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	alone := stats(t, dir)
	for _, s := range []logStats{beside, alone} {
		if s.Events != 3 || len(s.Items) != 2 || s.Items[0] != (typeStats{Type: "QuoteSent", Events: 2, Bytes: 4}) {
			t.Errorf("counted %+v", s)
		}
	}
}

func TestNodeCommandServesUntilInterrupted(t *testing.T) {
	t.Parallel()
	connection := nodeBy(t, []string{"node", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--insecure"})
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: connection})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Append(t.Context(), "s-1", eventstore.NoStream(), eventstore.Proposed{ID: uuid.New(), Type: "A", Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
}

// nodeBy is the connection string of a node that a command line serves until the
// test ends, and that must end well then.
func nodeBy(t *testing.T, args []string) string {
	t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	out, lines := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, lines, io.Discard) }()
	t.Cleanup(func() {
		interrupt()
		if status := <-ended; status != exitOK {
			t.Errorf("%v: exit status %d", args, status)
		}
	})
	line := make([]byte, 200)
	count, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // lets go of a late line
	_, connection, found := strings.Cut(strings.TrimSpace(string(line[:count])), "INSECURE event log at ")
	if !found {
		t.Fatalf("said %q", line[:count])
	}
	return connection
}
