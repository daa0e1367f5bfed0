// Package logtest waits for what tests want to see in a log.
package logtest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"portal.example/eventstore"
)

// patience bounds what is waited for.
const patience = time.Minute

// Parked waits until a group has parked so many events, and returns the reasons
// as they are in the log, by event: revision@stream.
func Parked(t *testing.T, client *eventstore.Client, group eventstore.Group, events int) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	parked := client.Subscribe(ctx, eventstore.SubscribeOptions{Filter: eventstore.StreamPrefix(group.ParkedStream())})
	defer parked.Close()
	reasons := map[string]string{}
	for len(reasons) < events {
		notices, err := parked.NextBatch(ctx, 1)
		if err != nil {
			t.Fatalf("waiting for %d parked events, there are %d: %v", events, len(reasons), err)
		}
		if e := notices[0].Event; e.Stream == group.ParkedStream() {
			var metadata struct{ Reason string }
			if err := json.Unmarshal(e.Metadata, &metadata); err != nil {
				t.Fatal(err)
			}
			reasons[string(e.Data)] = metadata.Reason
		}
	}
	return reasons
}
