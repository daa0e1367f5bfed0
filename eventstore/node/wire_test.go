package node

import (
	"errors"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"portal.example/eventstore/node/journal"
)

// What is written by hand must be what the generated code would have written.
func TestEventsAreEncodedAsTheProtocolSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &eventMessage{record: drawRecord(t, "event"), textID: rapid.Bool().Draw(t, "text id")}
		if rapid.Bool().Draw(t, "linked") {
			m.link = drawRecord(t, "link")
			if rapid.Bool().Draw(t, "target has gone") {
				m.record = nil
			}
		}
		encoded, err := newCodec().Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got streams.ReadResp
		if err := proto.Unmarshal(encoded.Materialize(), &got); err != nil {
			t.Fatal(err)
		}
		want := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
			Event:    generated(m.record, m.textID),
			Link:     generated(m.link, m.textID),
			Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: m.original().Position},
		}}}
		if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
			t.Fatalf("-generated +ours:\n%s", diff)
		}
	})
}

// Persistent subscriptions tell an event in the same form, and how often it was
// tried.
func TestEventsAreEncodedForPersistentSubscriptions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &eventMessage{record: drawRecord(t, "event"), tried: true, retries: int(rapid.Int32Min(0).Draw(t, "retries"))}
		encoded, err := newCodec().Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		// Read as what the other service would have sent, but for the retries.
		var got persistent.ReadResp
		var plain streams.ReadResp
		if err := errors.Join(proto.Unmarshal(encoded.Materialize(), &got), proto.Unmarshal(encoded.Materialize(), &plain)); err != nil {
			t.Fatal(err)
		}
		count, told := got.GetEvent().GetCount().(*persistent.ReadResp_ReadEvent_RetryCount)
		if !told || int(count.RetryCount) != m.retries {
			t.Fatalf("retries %v, want %d", got.GetEvent().GetCount(), m.retries)
		}
		got.GetEvent().Count = nil
		want, err := proto.Marshal(&got)
		if err != nil {
			t.Fatal(err)
		}
		plain.GetEvent().ProtoReflect().SetUnknown(nil)
		again := &streams.ReadResp{}
		if err := proto.Unmarshal(want, again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&plain, again, protocmp.Transform()); diff != "" {
			t.Fatalf("-as a stream's +as a group's:\n%s", diff)
		}
		if diff := cmp.Diff(generated(m.record, false), plain.GetEvent().GetEvent(), protocmp.Transform()); diff != "" {
			t.Fatalf("-generated +ours:\n%s", diff)
		}
	})
}

func drawRecord(t *rapid.T, label string) *journal.Record {
	bytes := func(name string) []byte {
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label+" "+name)
	}
	return &journal.Record{
		Position: rapid.Uint64().Draw(t, label+" position"),
		Revision: rapid.Uint64().Draw(t, label+" revision"),
		Created:  journal.Ticks(rapid.Int64Min(0).Draw(t, label+" created")),
		ID:       uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label+" id")),
		JSON:     rapid.Bool().Draw(t, label+" json"),
		Stream:   []byte(rapid.StringN(1, 40, 200).Draw(t, label+" stream")),
		Type:     []byte(rapid.StringN(1, 40, 200).Draw(t, label+" type")),
		Metadata: bytes("metadata"),
		Data:     bytes("data"),
	}
}
