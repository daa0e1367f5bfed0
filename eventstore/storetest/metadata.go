package storetest

import (
	"encoding/json"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

func metadataTests() []test {
	return []test{
		{"what the client sets it gets back", metadataComeBack},
		{"each setting of metadata is a revision of the metadata stream", metadataRevisions},
		{"a reader of the metadata stream sees the latest event alone", metadataStreamShowsLatest},
		{"a stream never given any has no metadata", metadataOfMissing},
		{"metadata may come before the stream", metadataBeforeStream},
		{"metadata that are no JSON change nothing", brokenMetadata},
		{"values that make no sense change nothing", senselessMetadata},
		{"a metadata event is an event of $all", metadataInAll},
	}
}

// setMetadata writes a stream's metadata as they are, past the client's own
// idea of them.
func (h *harness) setMetadata(stream, json string) *esdb.WriteResult {
	h.Helper()
	return h.append("$$"+stream, esdb.Any{}, event("$metadata", json))
}

func metadataComeBack(h *harness) {
	stream, _ := h.existing(1)
	var set esdb.StreamMetadata
	set.SetMaxCount(17)
	set.SetMaxAge(40 * time.Hour)
	set.SetTruncateBefore(0)
	set.SetCacheControl(9 * time.Second)
	set.AddCustomProperty("owner", "storetest")
	_, err := h.client.SetStreamMetadata(h.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, set)
	if err != nil {
		h.Fatal(err)
	}
	got, err := h.client.GetStreamMetadata(h.ctx, stream, esdb.ReadStreamOptions{})
	if err != nil {
		h.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(h, &set), asJSON(h, got)); diff != "" {
		h.Fatalf("metadata (-set +got):\n%s", diff)
	}
}

func asJSON(h *harness, m *esdb.StreamMetadata) map[string]any {
	h.Helper()
	text, err := m.ToJson()
	if err != nil {
		h.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		h.Fatal(err)
	}
	return values
}

func metadataRevisions(h *harness) {
	stream, _ := h.existing(1)
	var m esdb.StreamMetadata
	m.SetMaxCount(5)
	for revision := range uint64(3) {
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		if revision > 0 {
			expected = esdb.Revision(revision - 1)
		}
		result, err := h.client.SetStreamMetadata(h.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, m)
		if err != nil {
			h.Fatal(err)
		}
		if result.NextExpectedVersion != revision {
			h.Fatalf("revision %d, want %d", result.NextExpectedVersion, revision)
		}
	}
	_, err := h.client.SetStreamMetadata(h.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0)}, m)
	h.wantCode(err, esdb.ErrorCodeWrongExpectedVersion)
}

func metadataStreamShowsLatest(h *harness) {
	stream, _ := h.existing(1)
	for range 3 {
		h.setMetadata(stream, `{"$maxCount":3}`)
	}
	h.wantRevisions(h.read("$$"+stream), 2)
	h.wantRevisions(h.readWith("$$"+stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 10), 2)
}

func metadataOfMissing(h *harness) {
	stream, _ := h.existing(1)
	h.wantNoStream("$$" + stream)
	h.wantNoStream("$$" + h.stream())
}

func metadataBeforeStream(h *harness) {
	stream := h.stream()
	h.setMetadata(stream, `{"$maxCount":2}`)
	h.wantNoStream(stream)
	h.append(stream, esdb.NoStream{}, events(5)...)
	h.wantRevisions(h.read(stream), 3, 4)
}

func brokenMetadata(h *harness) {
	for _, broken := range []string{``, `{"$maxCount":`, `[1]`, `"$maxCount"`, `{"$maxCount":"two"}`, `{"$tb":1.5}`} {
		stream, proposed := h.existing(4)
		h.setMetadata(stream, broken)
		if got := h.read(stream); len(got) != len(proposed) {
			h.Errorf("metadata %q: %d events, want all %d", broken, len(got), len(proposed))
		}
	}
}

func senselessMetadata(h *harness) {
	for _, senseless := range []string{`{"$maxCount":0}`, `{"$maxCount":-3}`, `{"$tb":-1}`, `{"$maxAge":0}`, `{"$maxAge":-60}`} {
		stream, proposed := h.existing(4)
		h.setMetadata(stream, senseless)
		if got := h.read(stream); len(got) != len(proposed) {
			h.Errorf("metadata %s: %d events, want all %d", senseless, len(got), len(proposed))
		}
	}
}

func metadataInAll(h *harness) {
	stream, _ := h.existing(1)
	at := positionOf(h.setMetadata(stream, `{"$maxCount":3}`))
	e := h.readAll(esdb.ReadAllOptions{From: at}, 1)[0].Event
	if e.StreamID != "$$"+stream || e.EventType != "$metadata" || string(e.Data) != `{"$maxCount":3}` {
		h.Fatalf("a %s in stream %s with data %s", e.EventType, e.StreamID, e.Data)
	}
}
