package node_test

import (
	"errors"
	"io"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"portal.example/eventstore/node"
)

func start(t *testing.T, c node.Config) *node.Node {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	n, err := node.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

func connect(t *testing.T, connection string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = func(esdb.LogLevel, string, ...any) {}
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func proposed(kind string) esdb.EventData {
	return esdb.EventData{EventID: uuid.New(), EventType: kind, ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)}
}

func TestClientAppendsAndReadsOverTLS(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	client := connect(t, n.ConnectionString())
	written, err := client.AppendToStream(t.Context(), "quote-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, proposed("A"), proposed("B"))
	if err != nil {
		t.Fatal(err)
	}
	if written.NextExpectedVersion != 1 {
		t.Errorf("revision %d after two events", written.NextExpectedVersion)
	}
	stream, err := client.ReadStream(t.Context(), "quote-1", esdb.ReadStreamOptions{From: esdb.Start{}}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var types []string
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Event.EventType)
	}
	if len(types) != 2 || types[0] != "A" || types[1] != "B" {
		t.Errorf("read %v", types)
	}
}
