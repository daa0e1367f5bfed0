package eventstore_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// The events of these tests, in the way a package of the domain keeps its own.
type (
	Event interface{ isEvent() }

	Noted struct {
		Text string `json:"text"`
	}
	Signed struct {
		ContactID string    `json:"contactId"`
		Name      string    `json:"name" personal:"ContactID"`
		Image     []byte    `json:"image,omitempty" personal:"ContactID"`
		Born      time.Time `json:"born" personal:"ContactID"`
		Consent   *Consent  `json:"consent,omitempty"`
		Lines     []Line    `json:"lines,omitempty"`
	}
	Consent struct {
		Witness Person `json:"witness"`
		Text    string `json:"text"`
	}
	Person struct {
		ID    string   `json:"id"`
		Names []string `json:"names" personal:"ID"`
	}
	Line struct {
		Cents int    `json:"cents"`
		Note  string `json:"note,omitempty" personal:"ContactID"`
	}
)

func (Noted) isEvent()  {}
func (Signed) isEvent() {}

var types = map[string]Event{"Noted": Noted{}, "Signed": Signed{}}

func newCodec(t testing.TB, keys eventstore.Keyring, changed ...eventstore.EventType) *eventstore.Codec {
	t.Helper()
	codec, err := eventstore.NewCodec(keys, eventstore.Events(types, changed...)...)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func wholeSigned() Signed {
	return Signed{
		ContactID: "dana",
		Name:      "Dana Reyes",
		Image:     []byte{1, 2, 3},
		Born:      time.Date(1980, 2, 29, 0, 0, 0, 0, time.UTC),
		Consent:   &Consent{Witness: Person{ID: "sam", Names: []string{"Sam", "Lee"}}, Text: "I agree <b>"},
		Lines:     []Line{{Cents: 1}, {Cents: 2, Note: "behind the gate"}, {Cents: 3, Note: "ring twice"}},
	}
}

// envelope is the metadata of a command of its own.
func envelope() eventstore.Metadata {
	return eventstore.Metadata{
		CommandID:  uuid.New(),
		Business:   "acme",
		Operation:  "notes.test",
		Actor:      eventstore.Actor{Kind: eventstore.ActorContact, ID: "dana"},
		IP:         "203.0.113.7",
		Origin:     eventstore.OriginLive,
		RecordedAt: time.Date(2026, 3, 14, 20, 42, 0, 0, time.UTC),
	}
}

// recorded shows proposed events as a log would hold them.
func recorded(stream string, proposed ...eventstore.Proposed) []eventstore.Recorded {
	list := make([]eventstore.Recorded, len(proposed))
	for i, p := range proposed {
		list[i] = eventstore.Recorded{
			Stream: stream, Revision: uint64(i),
			ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata,
		}
	}
	return list
}

func encode(t testing.TB, codec *eventstore.Codec, m eventstore.Metadata, events ...any) []eventstore.Recorded {
	t.Helper()
	proposed, err := codec.Encode(t.Context(), "note-1", m, events...)
	if err != nil {
		t.Fatal(err)
	}
	return recorded("note-1", proposed...)
}

func decode(t testing.TB, codec *eventstore.Codec, records ...eventstore.Recorded) []eventstore.Decoded {
	t.Helper()
	decoded, err := codec.DecodeBatch(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestEventsGolden(t *testing.T) {
	t.Parallel()
	codectest.Golden(t, "testdata", eventstore.Events(types), wholeSigned(), Noted{Text: "hello"})
}

func TestDecodedEventIsTheEncodedOne(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	events := []any{wholeSigned(), Noted{Text: "x"}, Signed{ContactID: "lee"}, Noted{}}

	m := envelope()
	for i, d := range decode(t, codec, encode(t, codec, m, events...)...) {
		if diff := cmp.Diff(events[i], d.Event); diff != "" || d.Err != nil || d.Erased != nil {
			t.Errorf("event %d: %v, erased %v\n%s", i, d.Err, d.Erased, diff)
		}
		if d.Metadata.CommandID != m.CommandID || d.Metadata.Schema != 1 || d.Metadata.IP != "" {
			t.Errorf("event %d has metadata %+v", i, d.Metadata)
		}
	}
}

func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	if _, err := codec.Encode(t.Context(), "note-1", envelope(), struct{}{}); !errors.Is(err, eventstore.ErrUnknownType) {
		t.Errorf("encoding: %v", err)
	}

	batch := encode(t, codec, envelope(), Noted{}, Noted{}, Noted{})
	batch[0].Type = "Jotted"
	batch[1].Metadata = []byte(`{}`)
	decoded := decode(t, codec, batch...)
	for i := range 2 {
		if !errors.Is(decoded[i].Err, eventstore.ErrUnknownType) || decoded[i].Event != nil {
			t.Errorf("decoding %d: %v, %v", i, decoded[i].Event, decoded[i].Err)
		}
	}
	if decoded[2].Err != nil {
		t.Errorf("a neighbour suffers: %v", decoded[2].Err)
	}
}

func TestBrokenEventsAreReportedEachByItself(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	batch := encode(t, codec, envelope(), Noted{}, Noted{}, Noted{}, wholeSigned(), Noted{Text: "whole"})
	batch[0].Data = []byte(`{"text":`)
	batch[1].Data = []byte(`{"text":1}`)
	batch[2].Metadata = []byte(`nonsense`)
	batch[3].Data = []byte(`{"contactId":"dana","name":"in the clear"}`)

	decoded := decode(t, codec, batch...)
	for i := range 4 {
		if decoded[i].Err == nil || decoded[i].Event != nil {
			t.Errorf("%d passed as %v", i, decoded[i].Event)
		}
	}
	if diff := cmp.Diff(Noted{Text: "whole"}, decoded[4].Event); diff != "" {
		t.Error(diff)
	}
}

func TestUpcasting(t *testing.T) {
	t.Parallel()
	rename := func(from, to string) func(json.RawMessage) (json.RawMessage, error) {
		return func(data json.RawMessage) (json.RawMessage, error) {
			fields := map[string]json.RawMessage{}
			if err := json.Unmarshal(data, &fields); err != nil {
				return nil, err
			}
			fields[to] = fields[from]
			delete(fields, from)
			return json.Marshal(fields)
		}
	}
	codec := newCodec(t, codectest.NewKeyring(), eventstore.Event[Noted]("Noted", 3,
		eventstore.Upcaster{Name: "Jotted", Version: 1, Up: rename("jot", "body")},
		eventstore.Upcaster{Name: "Noted", Version: 2, Up: rename("body", "text")},
	))
	for _, stored := range []struct {
		name, data string
		schema     int
	}{
		{"Jotted", `{"jot":"hello"}`, 1},
		{"Noted", `{"body":"hello"}`, 2},
		{"Noted", `{"text":"hello"}`, 3},
	} {
		m := wholeMetadata()
		m.Schema, m.IP, m.UserAgent, m.Session.Address = stored.schema, "", "", ""
		metadata, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		d := decode(t, codec, eventstore.Recorded{Type: stored.name, Data: []byte(stored.data), Metadata: metadata})[0]
		if diff := cmp.Diff(Noted{Text: "hello"}, d.Event); diff != "" || d.Err != nil {
			t.Errorf("%s version %d: %v\n%s", stored.name, stored.schema, d.Err, diff)
		}
	}
	if d := decode(t, codec, encode(t, codec, envelope(), Noted{})...)[0]; d.Metadata.Schema != 3 {
		t.Errorf("written as version %d", d.Metadata.Schema)
	}
}

func TestRegistrationFaults(t *testing.T) {
	t.Parallel()
	type (
		nobody struct {
			Name string `personal:"Whose"`
		}
		number struct {
			Whose int
			Name  string `personal:"Whose"`
		}
		secret struct {
			Whose string `personal:"Other"`
			Other string
			Name  string `personal:"Whose"`
		}
		hidden struct {
			Whose string
			name  string `personal:"Whose"` //nolint:unused // the point of the test
		}
		unstored struct {
			Whose string
			Name  string `json:"-" personal:"Whose"`
		}
		embedding struct {
			Line
			ContactID string
		}
		mapping struct {
			ContactID string
			Lines     map[string]Line
		}
		array struct {
			ContactID string
			Lines     [2]Line
		}
		recursive struct {
			Whose string
			Name  string `personal:"Whose"`
			Next  *recursive
		}
		nested struct {
			ContactID string
			Signed    Line `personal:"ContactID"`
		}
		marshalling struct {
			Whose string
			Inner selfMade
		}
	)
	for name, types := range map[string][]eventstore.EventType{
		"no name":              {eventstore.Event[Noted]("", 1)},
		"no version":           {eventstore.Event[Noted]("Noted", 0)},
		"no struct":            {eventstore.Event[string]("Noted", 1)},
		"a pointer":            {eventstore.Event[*Noted]("Noted", 1)},
		"two names":            {eventstore.Event[Noted]("Noted", 1), eventstore.Event[Noted]("Jotted", 1)},
		"one name for two":     {eventstore.Event[Noted]("Noted", 1), eventstore.Event[Signed]("Noted", 1)},
		"past is present":      {eventstore.Event[Noted]("Noted", 1, eventstore.Upcaster{Name: "Noted", Version: 1})},
		"no subject":           {eventstore.Event[nobody]("E", 1)},
		"subject no string":    {eventstore.Event[number]("E", 1)},
		"subject personal":     {eventstore.Event[secret]("E", 1)},
		"unexported":           {eventstore.Event[hidden]("E", 1)},
		"not stored":           {eventstore.Event[unstored]("E", 1)},
		"embedded":             {eventstore.Event[embedding]("E", 1)},
		"in a map":             {eventstore.Event[mapping]("E", 1)},
		"in an array":          {eventstore.Event[array]("E", 1)},
		"recursive":            {eventstore.Event[recursive]("E", 1)},
		"personal in personal": {eventstore.Event[nested]("E", 1)},
		"own MarshalJSON":      {eventstore.Event[marshalling]("E", 1)},
	} {
		if _, err := eventstore.NewCodec(codectest.NewKeyring(), types...); err == nil {
			t.Errorf("%s: registered", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

type selfMade struct {
	Name string `personal:"Whose"`
}

func (selfMade) MarshalJSON() ([]byte, error) { return []byte(`"in the clear"`), nil }

func FuzzDecode(f *testing.F) {
	codec := newCodec(f, codectest.NewKeyring())
	for _, r := range encode(f, codec, envelope(), wholeSigned(), Noted{Text: "x"}) {
		f.Add(r.Type, r.Data, r.Metadata)
	}
	f.Fuzz(func(t *testing.T, name string, data, metadata []byte) {
		decoded := decode(t, codec, eventstore.Recorded{Type: name, Data: data, Metadata: metadata})
		if err := codec.OpenMetadata(t.Context(), decoded); err != nil {
			t.Fatal(err)
		}
		if d := decoded[0]; d.Err == nil && types[name] == nil {
			t.Fatalf("%q read as %v", name, d.Event)
		}
	})
}
