package eventstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"portal.example/eventstore"
)

func TestCommandIDIsFixed(t *testing.T) {
	t.Parallel()
	// Storage: a change of these ids would make every earlier command unknown.
	got := commandID(t, "acme", eventstore.Actor{Kind: eventstore.ActorContact, ID: "dana"}, "quotes.approve", "key-1")
	if want := "96db8db0-7dac-8ffe-8272-e7bfc0243d7c"; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := eventstore.NewID(got, "quote").String(), "4580830e-9708-89fa-bd6d-3e756b61c601"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m := eventstore.Metadata{CommandID: got, RecordedAt: time.Date(2026, 3, 14, 20, 42, 0, 0, time.UTC)}
	if got, want := eventstore.EventID(m, "quote-1", 0).String(), "b8037945-568c-8293-99b1-4e13fbb08959"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func commandID(t rapid.TB, business string, actor eventstore.Actor, operation, key string) uuid.UUID {
	t.Helper()
	id, err := eventstore.CommandID(business, actor, operation, key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestCommandIDNeedsAKey(t *testing.T) {
	t.Parallel()
	for _, missing := range [][3]string{{"", "o", "k"}, {"b", "", "k"}, {"b", "o", ""}} {
		if id, err := eventstore.CommandID(missing[0], eventstore.Actor{}, missing[1], missing[2]); err == nil {
			t.Errorf("%q gave %s", missing, id)
		}
	}
}

// Two commands that differ in anything have different ids, however their parts
// are cut; and every id is a UUIDv8.
func TestCommandIDsDoNotCollide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[ab]{1,3}`)
		draw := func(label string) (parts [4]string) {
			for i := range parts {
				parts[i] = part.Draw(t, label)
			}
			return parts
		}
		id := func(p [4]string) uuid.UUID {
			return commandID(t, p[0], eventstore.Actor{Kind: eventstore.ActorStaff, ID: p[1]}, p[2], p[3])
		}
		a, b := draw("a"), draw("b")
		if (a == b) != (id(a) == id(b)) {
			t.Fatalf("%q and %q: %s and %s", a, b, id(a), id(b))
		}
		if got := id(a); got.Version() != 8 || got.Variant() != uuid.RFC4122 {
			t.Fatalf("%s is no UUIDv8", got)
		}
	})
}

func TestActorsOfDifferentKindsDoNotShareCommands(t *testing.T) {
	t.Parallel()
	seen := map[uuid.UUID]eventstore.Actor{}
	for _, actor := range []eventstore.Actor{
		{Kind: eventstore.ActorContact, ID: "a"},
		{Kind: eventstore.ActorStaff, ID: "a"},
		{Kind: eventstore.ActorStaffAsContact, ID: "a", ActingFor: "b"},
		{Kind: eventstore.ActorStaffAsContact, ID: "a", ActingFor: "c"},
		{Kind: eventstore.ActorSystem},
	} {
		id := commandID(t, "acme", actor, "quotes.approve", "key-1")
		if other, taken := seen[id]; taken {
			t.Errorf("%v and %v share %s", actor, other, id)
		}
		seen[id] = actor
	}
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	m := eventstore.Metadata{CommandID: uuid.New(), RecordedAt: time.Unix(1, 0)}
	first := eventstore.EventID(m, "quote-1", 0)

	resent := m
	resent.RecordedAt = m.RecordedAt.In(time.FixedZone("", 3600))
	if got := eventstore.EventID(resent, "quote-1", 0); got != first {
		t.Errorf("the same attempt has ids %s and %s", first, got)
	}
	later, other := m, m
	later.RecordedAt = m.RecordedAt.Add(1)
	other.Fingerprint[0]++
	for name, got := range map[string]uuid.UUID{
		"the next event":  eventstore.EventID(m, "quote-1", 1),
		"another stream":  eventstore.EventID(m, "quote-2", 0),
		"a later attempt": eventstore.EventID(later, "quote-1", 0),
		"another request": eventstore.EventID(other, "quote-1", 0),
	} {
		if got == first {
			t.Errorf("%s has the same id", name)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	secret := []byte("secret")
	a := eventstore.NewFingerprint(secret, []byte("POST"), []byte("/quotes"))
	for name, b := range map[string]eventstore.Fingerprint{
		"cut otherwise":  eventstore.NewFingerprint(secret, []byte("POST/"), []byte("quotes")),
		"another secret": eventstore.NewFingerprint([]byte("other"), []byte("POST"), []byte("/quotes")),
	} {
		if a == b {
			t.Errorf("%s, and the same fingerprint", name)
		}
	}
	text, err := a.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back eventstore.Fingerprint
	if err := back.UnmarshalText(text); err != nil || back != a {
		t.Errorf("%s read back as %x: %v", text, back, err)
	}
	for _, bad := range []string{"", "AAAA", "not base64!", strings.Repeat("A", 100)} {
		if back.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}
