package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// eventSource is what a subscription of the client and a reader have in common.
type eventSource interface {
	NextBatch(ctx context.Context, limit int) ([]eventstore.Notice, error)
}

// told reads up to the end of history and returns what was said on the way.
func told(t *testing.T, s eventSource) (events []string) {
	t.Helper()
	for {
		notices, err := s.NextBatch(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range notices {
			switch n.Kind {
			case eventstore.CaughtUp:
				return events
			case eventstore.EventAppeared:
				e := n.Event
				events = append(events, fmt.Sprint(n.Position, e.Position, e.Stream, e.Revision, e.ID, e.Type, e.Created.UTC(), string(e.Data), string(e.Metadata)))
			case eventstore.CheckpointReached, eventstore.FellBehind:
			}
		}
	}
}

// A reader in the node's process sees what a client sees.
func TestReaderAgreesWithTheClient(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	raw := connect(t, n.ConnectionString())
	for i := range 700 {
		kind := []string{"QuoteSent", "QuoteViewed", "InvoiceIssued"}[i%3]
		if _, err := raw.AppendToStream(t.Context(), fmt.Sprintf("s%d-%d", i%2, i%40), esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, proposed(kind)); err != nil {
			t.Fatal(err)
		}
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for name, filter := range map[string]eventstore.Filter{
		"everything":      {},
		"user events":     eventstore.UserEvents(),
		"by type":         eventstore.TypePrefix("Quote"),
		"by stream":       eventstore.StreamPrefix("s1-"),
		"by expression":   eventstore.TypeMatches("Viewed$"),
		"nothing matches": eventstore.TypePrefix("Payment"),
	} {
		t.Run(name, func(t *testing.T) {
			options := eventstore.SubscribeOptions{Filter: filter}
			theirs := client.Subscribe(t.Context(), options)
			defer theirs.Close()
			if diff := cmp.Diff(told(t, theirs), told(t, n.Follow(options))); diff != "" {
				t.Errorf("-client +reader:\n%s", diff)
			}
		})
	}
}

// A batch of several pages keeps the events of each: the room for a page's records is
// used for the next.
func TestABatchKeepsTheEventsOfAllItsPages(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	raw := connect(t, n.ConnectionString())
	const events = 1500 // of 8 KiB, where a page has 512, and 8192 are kept in memory
	for from := 0; from < events; from += 100 {
		var some []esdb.EventData
		for i := range 100 {
			e := proposed("Large")
			e.Data = fmt.Appendf(nil, `{"n":%d,"text":"%08192d"}`, from+i, from+i)
			some = append(some, e)
		}
		if _, err := raw.AppendToStream(t.Context(), "large-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, some...); err != nil {
			t.Fatal(err)
		}
	}
	r := n.Follow(eventstore.SubscribeOptions{Filter: eventstore.UserEvents()})
	notices, err := r.NextBatch(t.Context(), 2*events)
	if err != nil {
		t.Fatal(err)
	}
	notices = notices[:len(notices)-1] // history is over
	if len(notices) != events {
		t.Fatalf("%d events", len(notices))
	}
	for i := range notices {
		e := &notices[i].Event
		if want := fmt.Sprintf(`{"n":%d,"text":"%08192d"}`, i, i); string(e.Data) != want || e.Revision != uint64(i) || e.Type != "Large" {
			t.Errorf("event %d is %s@%d with %.40s", i, e.Type, e.Revision, e.Data)
		}
	}
}

// A live reader hears of what is appended, and of how far it is where nothing
// passes its filter.
func TestReaderGoesOnLive(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	raw := connect(t, n.ConnectionString())
	r := n.Follow(eventstore.SubscribeOptions{Filter: eventstore.TypePrefix("Quote")})
	told(t, r)
	for _, c := range []struct {
		appended string
		want     eventstore.NoticeKind
	}{{"QuoteSent", eventstore.EventAppeared}, {"InvoiceIssued", eventstore.CheckpointReached}} {
		result, err := raw.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, proposed(c.appended))
		if err != nil {
			t.Fatal(err)
		}
		notices, err := r.NextBatch(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(notices) != 1 || notices[0].Kind != c.want || notices[0].Position.Commit != result.CommitPosition {
			t.Errorf("after %s: %+v", c.appended, notices)
		}
	}
}
