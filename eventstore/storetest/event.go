package storetest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func eventTests() []test {
	return []test{
		{"id, type, data and metadata come back as they were given", eventComesBack},
		{"binary data comes back byte for byte", binaryComesBack},
		{"JSON that is none is kept all the same", brokenJSONIsKept},
		{"data and metadata may be empty", emptyDataAndMetadata},
		{"ids come structured or as text, as the reader asks", idsAsAsked},
		{"ids may be given structured or as text", idsAsGiven},
		{"the system's metadata are type, created and content-type alone", systemMetadataKeys},
		{"created is the server's, in 100 ns ticks, and never falls", createdTicks},
		{"any content type but JSON is read back as octets", otherContentType},
		{"names of streams and types may be Unicode", unicodeNames},
		{"names may be long", longNames},
	}
}

func eventComesBack(h *harness) {
	stream := h.stream()
	proposed := event("QuoteApproved", `{"amount":"12.50","currency":"EUR"}`)
	h.append(stream, esdb.NoStream{}, proposed)
	got := h.read(stream)[0].Event
	type fields struct {
		ID                        uuid.UUID
		Revision                  uint64
		Stream, Type, Content     string
		Data, Metadata            string
		SystemType, SystemContent string
	}
	want := fields{
		ID: proposed.EventID, Stream: stream, Type: "QuoteApproved", Content: "application/json",
		Data: string(proposed.Data), Metadata: string(proposed.Metadata),
		SystemType: "QuoteApproved", SystemContent: "application/json",
	}
	read := fields{
		ID: got.EventID, Stream: got.StreamID, Type: got.EventType, Content: got.ContentType,
		Revision: got.EventNumber, Data: string(got.Data), Metadata: string(got.UserMetadata),
		SystemType: got.SystemMetadata["type"], SystemContent: got.SystemMetadata["content-type"],
	}
	if diff := cmp.Diff(want, read); diff != "" {
		h.Fatalf("the event (-want +got):\n%s", diff)
	}
}

func binaryComesBack(h *harness) {
	stream := h.stream()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	h.append(stream, esdb.NoStream{}, esdb.EventData{
		EventID: uuid.New(), EventType: "Scanned", ContentType: esdb.ContentTypeBinary,
		Data: every, Metadata: slices.Concat(every, every),
	})
	got := h.read(stream)[0].Event
	if got.ContentType != "application/octet-stream" {
		h.Errorf("content type %q", got.ContentType)
	}
	if !bytes.Equal(got.Data, every) || !bytes.Equal(got.UserMetadata, slices.Concat(every, every)) {
		h.Errorf("data %x, metadata %x", got.Data, got.UserMetadata)
	}
}

func brokenJSONIsKept(h *harness) {
	stream := h.stream()
	h.append(stream, esdb.NoStream{}, event("Happened", `{"half":`))
	got := h.read(stream)[0].Event
	if string(got.Data) != `{"half":` || got.ContentType != "application/json" {
		h.Fatalf("%q as %s", got.Data, got.ContentType)
	}
}

func emptyDataAndMetadata(h *harness) {
	stream := h.stream()
	h.append(stream, esdb.NoStream{},
		esdb.EventData{EventID: uuid.New(), EventType: "Rung", ContentType: esdb.ContentTypeJson},
		esdb.EventData{EventID: uuid.New(), EventType: "Rung"})
	read := h.read(stream)
	h.wantRevisions(read, 0, 1)
	for _, e := range read {
		if len(e.Event.Data) != 0 || len(e.Event.UserMetadata) != 0 {
			h.Errorf("data %q, metadata %q, want none", e.Event.Data, e.Event.UserMetadata)
		}
	}
}

func idsAsAsked(h *harness) {
	stream, proposed := h.existing(1)
	want := proposed[0].EventID

	id := recorded(h.mustAnswer(readStreamRequest(stream)))[0].GetId()
	if id.GetStructured() == nil {
		h.Fatalf("asked for a structured id, got %v", id)
	}
	most, least := esdb.UUIDAsInt64(want)
	if s := id.GetStructured(); s.GetMostSignificantBits() != most || s.GetLeastSignificantBits() != least {
		h.Errorf("structured id %v, want %d and %d", s, most, least)
	}

	id = recorded(h.mustAnswer(readStreamRequest(stream, textIDs)))[0].GetId()
	if got := id.GetString_(); got != want.String() {
		h.Errorf("text id %v, want %s", id, want)
	}
}

// recorded picks the events out of a reading's answers.
func recorded(answers []*streams.ReadResp) []*streams.ReadResp_ReadEvent_RecordedEvent {
	var events []*streams.ReadResp_ReadEvent_RecordedEvent
	for _, a := range answers {
		if e := a.GetEvent(); e != nil {
			events = append(events, e.GetEvent())
		}
	}
	return events
}

func idsAsGiven(h *harness) {
	stream := h.stream()
	want := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	_, _, err := h.appendRaw(appendOptions(stream, noStream),
		message([]byte(`{}`), withID(textID(want[0].String()))),
		message([]byte(`{}`), withID(structured(want[1]))),
		message([]byte(`{}`), withID(textID(strings.ToUpper(want[2].String())))))
	if err != nil {
		h.Fatal(err)
	}
	for i, e := range h.read(stream) {
		if e.Event.EventID != want[i] {
			h.Errorf("event %d: id %s, want %s", i, e.Event.EventID, want[i])
		}
	}
}

func systemMetadataKeys(h *harness) {
	stream := h.stream()
	_, _, err := h.appendRaw(appendOptions(stream, noStream),
		message([]byte(`{}`), withMetadata("colour", "green"), withMetadata("created", "1")))
	if err != nil {
		h.Fatal(err)
	}
	keys := map[string]string{}
	for key := range recorded(h.mustAnswer(readStreamRequest(stream)))[0].GetMetadata() {
		keys[key] = ""
	}
	if diff := cmp.Diff(map[string]string{"type": "", "created": "", "content-type": ""}, keys); diff != "" {
		h.Fatalf("keys of the metadata (-want +got):\n%s", diff)
	}
}

func createdTicks(h *harness) {
	stream := h.stream()
	for range 3 {
		_, _, err := h.appendRaw(appendOptions(stream, anyRevision), message([]byte(`{}`), withMetadata("created", "1")))
		if err != nil {
			h.Fatal(err)
		}
	}
	// Wide enough for any clock; a server that counts in other units, or takes
	// the client's word, is far outside.
	earliest, latest := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	var last int64
	for _, e := range recorded(h.mustAnswer(readStreamRequest(stream))) {
		ticks, err := strconv.ParseInt(e.GetMetadata()["created"], 10, 64)
		if err != nil {
			h.Fatalf("created: %v", err)
		}
		if created := time.Unix(ticks/10_000_000, 0); created.Before(earliest) || created.After(latest) {
			h.Errorf("created %d ticks: %v", ticks, created.UTC())
		}
		if ticks < last {
			h.Errorf("created %d after %d", ticks, last)
		}
		last = ticks
	}
}

func otherContentType(h *harness) {
	stream := h.stream()
	_, _, err := h.appendRaw(appendOptions(stream, noStream), message([]byte("plain"), withMetadata("content-type", "text/plain")))
	if err != nil {
		h.Fatal(err)
	}
	if got := h.read(stream)[0].Event.ContentType; got != "application/octet-stream" {
		h.Fatalf("content type %q", got)
	}
}

func unicodeNames(h *harness) {
	for _, part := range []string{"请求", "Привет", "ünïcode", "🏡 with spaces", "50%", "a/b?c#d", "back\\slash", `"quoted"`} {
		stream := h.stream() + part
		h.append(stream, esdb.NoStream{}, event(part, `{}`))
		got := h.read(stream)[0].Event
		if got.StreamID != stream || got.EventType != part {
			h.Errorf("stream %q, type %q; want %q, %q", got.StreamID, got.EventType, stream, part)
		}
	}
}

func longNames(h *harness) {
	stream, kind := h.stream()+strings.Repeat("x", 400), strings.Repeat("Y", 400)
	h.append(stream, esdb.NoStream{}, event(kind, `{}`))
	got := h.read(stream)[0].Event
	if got.StreamID != stream || got.EventType != kind {
		h.Fatalf("stream %q, type %q", got.StreamID, got.EventType)
	}
}
