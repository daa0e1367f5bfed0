package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"portal.example/commands"
	"portal.example/eventstore"
)

// trims tells whether the log lets somebody limit a stream of a business.
func trims(t *testing.T, connection, category string) bool {
	t.Helper()
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: connection})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	limit := eventstore.Proposed{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$maxCount":1}`)}
	_, err = client.Append(t.Context(), "$$"+category+"-1", eventstore.Any(), limit)
	if err != nil && !errors.Is(err, eventstore.ErrAccessDenied) {
		t.Fatal(err)
	}
	return err == nil
}

// Whichever way a portal's log is served, its streams keep their events.
func TestStreamsOfBusinessesAreNeverTrimmed(t *testing.T) {
	p := serveTest(t)
	for _, category := range commands.Categories() {
		if trims(t, p.server.node.ConnectionString(), category) || trims(t, p.server.node.AdminConnectionString(), category) {
			t.Errorf("serve: streams of category %s can be trimmed", category)
		}
	}

	t.Setenv("PORTAL_EVENTSTORE", "")
	client, done, err := openLog(t.Context(), t.TempDir(), p.server.logger)
	if err != nil {
		t.Fatal(err)
	}
	defer done() //nolint:errcheck // it was only looked at
	limit := eventstore.Proposed{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$tb":1}`)}
	if _, err := client.Append(t.Context(), "$$invoice-1", eventstore.Any(), limit); !errors.Is(err, eventstore.ErrAccessDenied) {
		t.Errorf("a subcommand's node: %v", err)
	}

	for flags, want := range map[string]bool{"": false, "--permanent=": true, "--permanent=quote,note": true, "--permanent=note,invoice": false} {
		args := append([]string{"node", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--insecure"}, strings.Fields(flags)...)
		if got := trims(t, nodeBy(t, args), "invoice"); got != want {
			t.Errorf("node %s: a stream can be trimmed: %t", flags, got)
		}
	}
}
