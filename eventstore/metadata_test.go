package eventstore_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// wholeMetadata has every field filled.
func wholeMetadata() eventstore.Metadata {
	return eventstore.Metadata{
		CorrelationID: uuid.MustParse("0b9e32c0-7a8b-8f26-a9a5-d83f70e4c9f1"),
		CausationID:   uuid.MustParse("5c0ed7b4-02a7-8c1c-b0f1-64a9e24f6ed2"),
		CommandID:     uuid.MustParse("a6c7e1b8-7f5e-8a57-9a30-0f9a4a7c1d33"),
		Fingerprint:   eventstore.NewFingerprint([]byte("secret"), []byte("request")),
		Business:      "acme",
		Operation:     "quotes.approve",
		Actor:         eventstore.Actor{Kind: eventstore.ActorStaffAsContact, ID: "sam", ActingFor: "dana"},
		Session: eventstore.Session{
			ID: "s-1", Method: "code", At: time.Date(2026, 3, 14, 20, 40, 0, 0, time.UTC),
			Channel: "email", Address: "sam@acme.example",
		},
		IP:         "203.0.113.7",
		UserAgent:  "Mozilla/5.0",
		Schema:     1,
		Origin:     eventstore.OriginImport,
		RecordedAt: time.Date(2026, 3, 14, 20, 42, 0, 123456789, time.UTC),
		OccurredAt: time.Date(2025, 12, 24, 8, 0, 0, 0, time.UTC),
	}
}

// The golden file is an event's metadata as it lies in the log. It was written
// once and must be readable for ever.
func TestMetadataGolden(t *testing.T) {
	t.Parallel()
	const path = "testdata/metadata.golden.json"
	codec := newCodec(t, codectest.NewKeyring())
	proposed, err := codec.Encode(t.Context(), "note-1", wholeMetadata(), Noted{Text: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		codectest.Write(t, path, proposed[0].Metadata)
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := codectest.Diff(t, golden, proposed[0].Metadata); diff != "" {
		t.Errorf("written otherwise than in the file (-file +written):\n%s", diff)
	}
	read := []eventstore.Recorded{{
		Stream: "note-1", ID: proposed[0].ID, Type: "Noted", Data: proposed[0].Data, Metadata: golden,
	}}
	decoded, err := codec.DecodeBatch(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	if err := codec.OpenMetadata(t.Context(), decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeMetadata(), decoded[0].Metadata); diff != "" || decoded[0].Err != nil {
		t.Errorf("read back otherwise: %v\n%s", decoded[0].Err, diff)
	}
}

func TestMetadataIsCompletedAndChecked(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	for name, spoil := range map[string]func(*eventstore.Metadata){
		"command":         func(m *eventstore.Metadata) { m.CommandID = uuid.Nil },
		"business":        func(m *eventstore.Metadata) { m.Business = "" },
		"operation":       func(m *eventstore.Metadata) { m.Operation = "" },
		"moment":          func(m *eventstore.Metadata) { m.RecordedAt = time.Time{} },
		"origin":          func(m *eventstore.Metadata) { m.Origin = "replay" },
		"kind of actor":   func(m *eventstore.Metadata) { m.Actor.Kind = "robot" },
		"actor's id":      func(m *eventstore.Metadata) { m.Actor.ID = "" },
		"for whom":        func(m *eventstore.Metadata) { m.Actor.ActingFor = "" },
		"acting for none": func(m *eventstore.Metadata) { m.Actor.Kind = eventstore.ActorStaff },
	} {
		m := wholeMetadata()
		spoil(&m)
		if _, err := codec.Encode(t.Context(), "note-1", m, Noted{}); err == nil {
			t.Errorf("without its %s the metadata passed", name)
		}
	}

	m := wholeMetadata()
	m.CorrelationID, m.CausationID = uuid.Nil, uuid.Nil
	m.RecordedAt = m.RecordedAt.In(time.FixedZone("", -5*3600))
	proposed, err := codec.Encode(t.Context(), "note-1", m, Noted{})
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(proposed[0].Metadata, &stored); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"$correlationId": m.CommandID.String(),
		"$causationId":   m.CommandID.String(),
		"recordedAt":     "2026-03-14T20:42:00.123456789Z",
	} {
		if stored[field] != want {
			t.Errorf("%s is %v, want %v", field, stored[field], want)
		}
	}
}

func TestOccurredAt(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	for metadata, want := range map[string]string{
		`{"recordedAt":"2026-01-02T00:00:00Z","occurredAt":"2020-01-01T00:00:00Z"}`:                      "2020-01-01",
		`{"recordedAt":"2026-01-02T00:00:00Z"}`:                                                          "2026-01-02",
		` { "later" : 1, "recordedAt" : "2026-01-02T00:00:00Z", "occurredAt" : "2020-01-01T00:00:00Z" }`: "2020-01-01",
		`{"business":"b"}`: "2026-01-03",
		`no metadata`:      "2026-01-03",
	} {
		e := eventstore.Recorded{Created: created, Metadata: []byte(metadata)}
		if got := eventstore.OccurredAt(&e).Format(time.DateOnly); got != want {
			t.Errorf("%s: %s, want %s", metadata, got, want)
		}
	}
}
