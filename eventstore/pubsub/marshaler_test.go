package pubsub_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
)

func TestMessagesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sent := message.NewMessage(
			rapid.OneOf(
				rapid.Just(uuid.Nil.String()), rapid.Just("{5f0cf77a-9a9d-4a9a-a6a5-a2bb8d1d4f2e}"),
				rapid.Custom(func(t *rapid.T) string { return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String() }),
				rapid.StringN(1, 20, -1),
			).Draw(t, "uuid"),
			rapid.OneOf(rapid.Just([]byte(`{"amount":1}`)), rapid.SliceOf(rapid.Byte())).Draw(t, "payload"),
		)
		keys := rapid.OneOf(
			rapid.SampledFrom([]string{pubsub.NameKey, pubsub.CorrelationKey, pubsub.CausationKey}),
			rapid.String().Filter(func(key string) bool { return !strings.HasPrefix(key, "$") }),
		)
		sent.Metadata = rapid.MapOf(keys, rapid.String()).Draw(t, "metadata")
		want := map[string]string(maps.Clone(sent.Metadata))
		for _, key := range []string{pubsub.CorrelationKey, pubsub.CausationKey} {
			if want[key] == "" {
				delete(want, key)
			}
		}
		if want[pubsub.NameKey] == "" {
			want[pubsub.NameKey] = pubsub.DefaultEventType
		}

		event, err := pubsub.DefaultMarshaler{}.Marshal("orders", sent)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(event.Metadata) || event.Binary == json.Valid(event.Data) || event.ID == uuid.Nil {
			t.Errorf("event %+v", event)
		}
		got, err := pubsub.DefaultMarshaler{}.Unmarshal(recorded(event))
		if err != nil {
			t.Fatal(err)
		}
		if got.UUID != sent.UUID || string(got.Payload) != string(sent.Payload) {
			t.Errorf("got %q with %q, want %q with %q", got.UUID, got.Payload, sent.UUID, sent.Payload)
		}
		if diff := cmp.Diff(want, map[string]string(got.Metadata)); diff != "" {
			t.Error(diff)
		}
		again, err := pubsub.DefaultMarshaler{}.Marshal("orders", sent)
		if err != nil || again.ID != event.ID {
			t.Errorf("the second time it is %s, and the first time %s", again.ID, event.ID)
		}
	})
}

func recorded(event eventstore.Proposed) eventstore.Recorded {
	return eventstore.Recorded{Stream: "orders", ID: event.ID, Type: event.Type, Data: event.Data, Metadata: event.Metadata}
}

// The names are EventStoreDB's, and its own tools understand them.
func TestMetadataHasTheNamesOfTheLog(t *testing.T) {
	t.Parallel()
	msg := message.NewMessage("", message.Payload("{}"))
	msg.Metadata = message.Metadata{"name": "OrderPlaced", "correlation_id": "c", "causation_id": "d", "shop": "5"}
	event, err := pubsub.DefaultMarshaler{}.Marshal("orders", msg)
	if err != nil {
		t.Fatal(err)
	}
	if event.Type != "OrderPlaced" || string(event.Metadata) != `{"$causationId":"d","$correlationId":"c","shop":"5"}` {
		t.Errorf("type %s, metadata %s", event.Type, event.Metadata)
	}
	msg.Metadata["shop"] = "\xff"
	if _, err := (pubsub.DefaultMarshaler{}).Marshal("orders", msg); err == nil || !strings.Contains(err.Error(), `"shop"`) {
		t.Errorf("metadata that is no text: %v", err)
	}
}

func TestEventsOfOthersBecomeMessages(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	for metadata, want := range map[string]map[string]string{
		``:                                     {},
		`no JSON`:                              {},
		`["an","array"]`:                       {},
		`"a string"`:                           {},
		`{}`:                                   {},
		`{"a":"b","$correlationId":"c"}`:       {"a": "b", "correlation_id": "c"},
		`{"n":1.50,"o":{"p":[true]},"q":null}`: {"n": "1.50", "o": `{"p":[true]}`, "q": "null"},
		`{"name":"of a person"}`:               {},
	} {
		got, err := pubsub.DefaultMarshaler{}.Unmarshal(eventstore.Recorded{ID: id, Type: "Noted", Data: []byte("x"), Metadata: []byte(metadata)})
		if err != nil {
			t.Errorf("%s: %v", metadata, err)
			continue
		}
		want["name"] = "Noted"
		if diff := cmp.Diff(want, map[string]string(got.Metadata)); diff != "" || got.UUID != id.String() || string(got.Payload) != "x" {
			t.Errorf("%s: message %s with %q: %s", metadata, got.UUID, got.Payload, diff)
		}
	}
}
