package node_test

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"portal.example/eventstore/node"
)

// Neither the application nor the administrator can take events from a stream
// that is permanent.
func TestPermanentStreamsAreKeptFromEverybody(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{Permanent: []string{"quote"}})
	for name, connection := range map[string]string{"application": n.ConnectionString(), "administrator": n.AdminConnectionString()} {
		client := connect(t, connection)
		for _, stream := range []string{"quote-" + name, "note-" + name} {
			if _, err := client.AppendToStream(t.Context(), stream, esdb.AppendToStreamOptions{}, proposed("A"), proposed("B")); err != nil {
				t.Fatal(err)
			}
			var limit, harmless esdb.StreamMetadata
			limit.SetMaxCount(1)
			harmless.AddCustomProperty("owner", "x")
			_, limited := client.SetStreamMetadata(t.Context(), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, limit)
			_, described := client.SetStreamMetadata(t.Context(), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, harmless)
			_, deleted := client.DeleteStream(t.Context(), stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
			_, entombed := client.TombstoneStream(t.Context(), stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
			if described != nil {
				t.Errorf("%s: metadata without a limit: %v", stream, described)
			}
			for what, err := range map[string]error{"limit": limited, "delete": deleted, "tombstone": entombed} {
				if stream == "note-"+name && err != nil || stream != "note-"+name && codeOf(err) != esdb.ErrorCodeAccessDenied {
					t.Errorf("%s of %s: %v", what, stream, err)
				}
			}
		}
		if types := typesOf(t, client, "quote-"+name); len(types) != 2 {
			t.Errorf("the permanent stream has %v", types)
		}
	}
}
