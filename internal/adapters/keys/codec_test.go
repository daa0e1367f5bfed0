package keys

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
)

// Greeted is an event with something personal in it.
type Greeted struct {
	ContactID string `json:"contactId"`
	Name      string `json:"name" personal:"ContactID"`
}

// The codec on the real key store: a page of 1,000 people is read with one
// query, and one of them can be erased.
func TestTheCodecOnThisKeyring(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	codecOn := func(s *Store) *eventstore.Codec {
		codec, err := eventstore.NewCodec(s, eventstore.Event[Greeted]("Greeted", 1))
		if err != nil {
			t.Fatal(err)
		}
		return codec
	}
	m := eventstore.Metadata{
		CommandID: uuid.New(), Business: "acme", Operation: "greet", Origin: eventstore.OriginLive,
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, RecordedAt: time.Unix(0, 0),
	}
	events := make([]any, 1000)
	for i := range events {
		events[i] = Greeted{ContactID: fmt.Sprint("person", i), Name: "X"}
	}
	proposed, err := codecOn(d.open(t, text(1))).Encode(t.Context(), "greeting-1", m, events...)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]eventstore.Recorded, len(proposed))
	for i, p := range proposed {
		records[i] = eventstore.Recorded{ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata}
	}

	cold := d.open(t, text(1))
	destroy(t, cold, eventstore.Subject{Business: "acme", ID: "person7"})
	before := d.statements.Load()
	decoded, err := codecOn(cold).DecodeBatch(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	if asked := d.statements.Load() - before; asked != 1 {
		t.Errorf("%d statements", asked)
	}
	for i, got := range decoded {
		want := Greeted{ContactID: fmt.Sprint("person", i), Name: "X"}
		var erased []string
		if i == 7 {
			want.Name, erased = "", []string{"name"}
		}
		if got.Err != nil || got.Event != want || !slices.Equal(got.Erased, erased) {
			t.Errorf("event %d: %+v, erased %v, %v", i, got.Event, got.Erased, got.Err)
		}
	}
	if _, err := codecOn(cold).Encode(t.Context(), "greeting-1", m, events[7]); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("storing about an erased person: %v", err)
	}
}
