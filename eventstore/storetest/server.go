package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
)

// Server is a server to be tested.
type Server struct {
	// Name is what the run calls it.
	Name string
	// ConnectionString is the esdb:// address of an account that may do
	// everything, system streams included.
	ConnectionString string
}

// Run runs the whole suite against a server.
func Run(t *testing.T, server Server) {
	s := connect(t, server)
	t.Logf("server: %s, which says it is version %s", server.Name, s.version(t))
	for _, topic := range []struct {
		name  string
		tests []test
	}{
		{"Append", appendTests()},
		{"BatchAppend", batchTests()},
		{"Repeat", repeatTests()},
		{"ExpectedRevision", expectedTests()},
		{"Event", eventTests()},
		{"Concurrency", concurrencyTests()},
		{"Delete", deleteTests()},
		{"Tombstone", tombstoneTests()},
		{"Metadata", metadataTests()},
		{"Truncation", truncationTests()},
		{"ReadStream", readStreamTests()},
		{"ReadAll", readAllTests()},
		{"Filter", filterTests()},
		{"Links", linkTests()},
		{"SubscribeToStream", subscribeStreamTests()},
		{"SubscribeToAll", subscribeAllTests()},
		{"Checkpoints", checkpointTests()},
		{"PersistentSubscriptions", persistentTests()},
		{"Limits", limitTests()},
		{"BadInput", badInputTests()},
		{"Features", featureTests()},
	} {
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			s.runAll(t, topic.tests)
		})
	}
}

// suite is one run against one server.
type suite struct {
	client *esdb.Client
	config *esdb.Configuration
	conn   *grpc.ClientConn
	wire   streams.StreamsClient
}

func connect(t *testing.T, server Server) *suite {
	t.Helper()
	config, err := esdb.ParseConnectionString(server.ConnectionString)
	if err != nil {
		// The error would repeat the connection string, password included.
		t.Fatalf("%s: the connection string is not one that the client understands", server.Name)
	}
	config.Logger = nil // the client would log every refusal that a test provokes
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatalf("%s: %v", server.Name, err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := dialLeader(ctx, config)
	if err != nil {
		t.Fatalf("%s: %v", server.Name, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &suite{client: client, config: config, conn: conn, wire: streams.NewStreamsClient(conn)}
}

func (s *suite) version(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	methods, err := serverfeatures.NewServerFeaturesClient(s.conn).GetSupportedMethods(authorised(ctx, s.config), &shared.Empty{})
	if err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
	return methods.GetEventStoreServerVersion()
}
