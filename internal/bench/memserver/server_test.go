package memserver_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"portal.example/internal/bench/memserver"
)

func TestClientReadsWhatItAppended(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]memserver.Options{
		"messages": {}, "encoded": {Encoded: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			client := serve(ctx, t, options)

			first := proposed(`{"n":1}`)
			second := proposed(`{"n":2}`)
			appendTo(ctx, t, client, esdb.NoStream{}, first)
			appendTo(ctx, t, client, esdb.Revision(0), second)

			for way, read := range map[string]func(context.Context, *testing.T, *esdb.Client) []*esdb.RecordedEvent{
				"ReadAll": readAll, "SubscribeToAll": catchUp,
			} {
				got := read(ctx, t, client)
				if len(got) != 2 {
					t.Fatalf("%s: %d events", way, len(got))
				}
				for i, want := range []esdb.EventData{first, second} {
					e := got[i]
					if e.EventID != want.EventID || e.EventType != "Tried" || e.StreamID != "order-1" ||
						e.EventNumber != uint64(i) || string(e.Data) != string(want.Data) {
						t.Errorf("%s: event %d is %+v", way, i, e)
					}
				}
			}
		})
	}
}

func TestAppendAtAnotherRevisionIsRefused(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := serve(ctx, t, memserver.Options{})
	appendTo(ctx, t, client, esdb.NoStream{}, proposed(`{}`))
	for _, expected := range []esdb.ExpectedRevision{esdb.NoStream{}, esdb.Revision(1)} {
		_, err := client.AppendToStream(ctx, "order-1", esdb.AppendToStreamOptions{ExpectedRevision: expected}, proposed(`{}`))
		if err == nil {
			t.Errorf("accepted at %+v", expected)
		}
	}
}

func serve(ctx context.Context, t *testing.T, options memserver.Options) *esdb.Client {
	t.Helper()
	server, err := memserver.Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, server.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := esdb.ParseConnectionString("esdb://" + server.Addr() + "?tls=true&tlsCaFile=" + caFile)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	return client
}

func proposed(data string) esdb.EventData {
	return esdb.EventData{EventID: uuid.New(), EventType: "Tried", ContentType: esdb.ContentTypeJson, Data: []byte(data)}
}

func appendTo(ctx context.Context, t *testing.T, client *esdb.Client, expected esdb.ExpectedRevision, event esdb.EventData) {
	t.Helper()
	_, err := client.AppendToStream(ctx, "order-1", esdb.AppendToStreamOptions{ExpectedRevision: expected}, event)
	if err != nil {
		t.Fatal(err)
	}
}

func readAll(ctx context.Context, t *testing.T, client *esdb.Client) []*esdb.RecordedEvent {
	t.Helper()
	stream, err := client.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Start{}}, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var events []*esdb.RecordedEvent
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event.Event)
	}
}

func catchUp(ctx context.Context, t *testing.T, client *esdb.Client) []*esdb.RecordedEvent {
	t.Helper()
	subscription, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Close()
	var events []*esdb.RecordedEvent
	for {
		received := subscription.Recv()
		switch {
		case received.SubscriptionDropped != nil:
			t.Fatal(received.SubscriptionDropped.Error)
		case received.CaughtUp != nil:
			return events
		case received.EventAppeared != nil:
			events = append(events, received.EventAppeared.Event)
		}
	}
}
