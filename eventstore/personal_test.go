package eventstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

func acme(id string) eventstore.Subject { return eventstore.Subject{Business: "acme", ID: id} }

// random is what holds any short word sooner or later.
var random = regexp.MustCompile(`"(ciphertext|commit)":"[^"]*"`)

func TestNothingPersonalIsStoredInTheClear(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	m := wholeMetadata()
	m.Business = "acme"
	for _, r := range encode(t, codec, m, wholeSigned()) {
		stored := random.ReplaceAllString(string(r.Data)+string(r.Metadata), "")
		for _, secret := range []string{
			"Reyes", "AQID", "1980", "Sam", "gate", "twice", // event
			"203.0.113.7", "Mozilla", "acme.example", // metadata
		} {
			if strings.Contains(stored, secret) {
				t.Errorf("%q is in %s", secret, stored)
			}
		}
	}
}

// The stored form, built and taken apart by hand: it must be what the
// documentation says, for others verify it.
func TestStoredForm(t *testing.T) {
	t.Parallel()
	keys := codectest.NewKeyring()
	codec := newCodec(t, keys)
	r := encode(t, codec, envelope(), Signed{ContactID: "dana", Name: "Dana Reyes"})[0]

	var document struct{ Name map[string][]byte }
	if err := json.Unmarshal(r.Data, &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Name) != 2 {
		t.Fatalf("stored as %s", r.Data)
	}
	ring, err := keys.Lookup(t.Context(), []eventstore.Subject{acme("dana")})
	if err != nil {
		t.Fatal(err)
	}
	binding := "\x04acme" + "\x04dana" + "\x10" + string(r.ID[:]) + "\x04name"
	plaintext, err := ring[acme("dana")].Decrypt(document.Name["ciphertext"], []byte(binding))
	if err != nil {
		t.Fatal(err)
	}
	if salt, value := plaintext[:32], plaintext[32:]; string(value) != `"Dana Reyes"` || bytes.Count(salt, []byte{0}) == 32 {
		t.Errorf("salt %x, value %s", salt, value)
	}
	if commit := sha256.Sum256(plaintext); !bytes.Equal(commit[:], document.Name["commit"]) {
		t.Errorf("the commit is %x, not %x", document.Name["commit"], commit)
	}
}

func TestEqualValuesLookDifferent(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	m := envelope()
	a := encode(t, codec, m, Signed{ContactID: "dana", Name: "Dana"})[0]
	b := encode(t, codec, m, Signed{ContactID: "dana", Name: "Dana"})[0]
	if a.ID != b.ID {
		t.Errorf("the same attempt has ids %s and %s", a.ID, b.ID)
	}
	if bytes.Equal(a.Data, b.Data) {
		t.Errorf("twice the same bytes: %s", a.Data)
	}
}

func TestErasure(t *testing.T) {
	t.Parallel()
	keys := codectest.NewKeyring()
	codec := newCodec(t, keys)
	batch := encode(t, codec, envelope(), wholeSigned(), Noted{Text: "stays"})

	keys.Erase(acme("dana"))
	decoded := decode(t, codec, batch...)
	if err := codec.OpenMetadata(t.Context(), decoded); err != nil {
		t.Fatal(err)
	}

	want := wholeSigned()
	want.Name, want.Image, want.Born = "", nil, Signed{}.Born
	want.Lines[1].Note, want.Lines[2].Note = "", ""
	if diff := cmp.Diff(want, decoded[0].Event); diff != "" || decoded[0].Err != nil {
		t.Errorf("%v\n%s", decoded[0].Err, diff)
	}
	erased := []string{"name", "image", "born", "lines[1].note", "lines[2].note", "metadata.ip"}
	if diff := cmp.Diff(erased, decoded[0].Erased); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"metadata.ip"}, decoded[1].Erased); diff != "" || decoded[1].Event != (Noted{Text: "stays"}) {
		t.Errorf("%v\n%s", decoded[1].Event, diff)
	}
	if _, err := codec.Encode(t.Context(), "note-1", envelope(), wholeSigned()); !errors.Is(err, eventstore.ErrErased) {
		t.Errorf("storing about an erased subject: %v", err)
	}
}

// A ciphertext put anywhere but where it was made does not open.
func TestCiphertextsCannotBeMoved(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	m := envelope()
	batch := encode(t, codec, m, wholeSigned(), wholeSigned())

	other := m
	other.Business = "bolt"
	elsewhere := encode(t, codec, other, wholeSigned())[0]

	edit := func(change func(fields map[string]any)) eventstore.Recorded {
		r := batch[0]
		fields := map[string]any{}
		if err := json.Unmarshal(r.Data, &fields); err != nil {
			t.Fatal(err)
		}
		change(fields)
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		r.Data = data
		return r
	}
	moved := map[string]eventstore.Recorded{
		"to another event": {ID: batch[1].ID, Type: "Signed", Data: batch[0].Data, Metadata: batch[0].Metadata},
		"to another business": {
			ID: batch[0].ID, Type: "Signed", Data: elsewhere.Data, Metadata: batch[0].Metadata,
		},
		"to another field":   edit(func(f map[string]any) { f["name"], f["image"] = f["image"], f["name"] }),
		"to another subject": edit(func(f map[string]any) { f["contactId"] = "lee" }),
		"to another line": edit(func(f map[string]any) {
			lines := f["lines"].([]any)
			lines[1], lines[2] = lines[2], lines[1]
		}),
		"with another commit": edit(func(f map[string]any) {
			f["name"].(map[string]any)["commit"] = f["born"].(map[string]any)["commit"]
		}),
	}
	for name, r := range moved {
		if d := decode(t, codec, r)[0]; d.Err == nil {
			t.Errorf("%s: %v", name, d.Event)
		}
	}
	if d := decode(t, codec, edit(func(map[string]any) {}))[0]; d.Err != nil {
		t.Errorf("left in place: %v", d.Err)
	}
}

func TestFieldsMovedByAnUpcasterStillOpen(t *testing.T) {
	t.Parallel()
	type was struct {
		ContactID string `json:"contactId"`
		Signer    string `json:"signer" personal:"ContactID"`
		Lines     []struct {
			Text string `json:"text" personal:"ContactID"`
		} `json:"lines"`
	}
	type is struct {
		Signature struct {
			By   string `json:"by"`
			Name string `json:"name" personal:"By" formerly:"signer"`
		} `json:"signature"`
		Items []struct {
			Text string `json:"text" personal:"Signature.By" formerly:"lines[].text"`
		} `json:"items"`
	}
	keys := codectest.NewKeyring()
	before, err := eventstore.NewCodec(keys, eventstore.Event[was]("Sealed", 1))
	if err != nil {
		t.Fatal(err)
	}
	after, err := eventstore.NewCodec(keys, eventstore.Event[is]("Sealed", 2, eventstore.Upcaster{
		Name: "Sealed", Version: 1,
		Up: func(data json.RawMessage) (json.RawMessage, error) {
			var old struct{ ContactID, Signer, Lines json.RawMessage }
			if err := json.Unmarshal(data, &old); err != nil {
				return nil, err
			}
			return fmt.Appendf(nil, `{"signature":{"by":%s,"name":%s},"items":%s}`, old.ContactID, old.Signer, old.Lines), nil
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var event was
	if err := json.Unmarshal([]byte(`{"contactId":"dana","signer":"Dana","lines":[{"text":"a"},{"text":"b"}]}`), &event); err != nil {
		t.Fatal(err)
	}
	d := decode(t, after, encode(t, before, envelope(), event)...)[0]
	if d.Err != nil {
		t.Fatal(d.Err)
	}
	got, err := json.Marshal(d.Event)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"signature":{"by":"dana","name":"Dana"},"items":[{"text":"a"},{"text":"b"}]}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOneQueryForManyPeople(t *testing.T) {
	t.Parallel()
	keys := codectest.NewKeyring()
	codec := newCodec(t, keys)
	var batch []eventstore.Recorded
	for i := range 1000 {
		m := envelope()
		m.IP = ""
		m.Business = fmt.Sprint("business", i%10)
		batch = append(batch, encode(t, codec, m, Signed{ContactID: fmt.Sprint("person", i), Name: "X"})...)
	}
	before := keys.Queries()
	for _, d := range decode(t, codec, batch...) {
		if d.Err != nil || d.Event.(Signed).Name != "X" {
			t.Fatal(d.Err, d.Event)
		}
	}
	if asked := keys.Queries() - before; asked != 1 {
		t.Errorf("%d queries", asked)
	}
}

func TestEventsWithoutPersonalFieldsNeedNoKeys(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, brokenKeyring{})
	m := envelope()
	m.IP = ""
	if got := decode(t, codec, encode(t, codec, m, Noted{Text: "x"})...)[0].Event; got != (Noted{Text: "x"}) {
		t.Errorf("got %v", got)
	}
}

var errNoKeys = errors.New("the key store is down")

// brokenKeyring has lost its store; emptyKeyring has a store without keys.
type (
	brokenKeyring struct{}
	emptyKeyring  struct{ *codectest.Keyring }
)

func (brokenKeyring) Obtain(context.Context, []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	return nil, errNoKeys
}

func (brokenKeyring) Lookup(context.Context, []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	return nil, errNoKeys
}

func (emptyKeyring) Lookup(context.Context, []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	return nil, nil
}

// What cannot be read for want of a key must not pass for erased, or a key
// store that was restored without its newest keys would empty the read models.
func TestSealedEventsKeepWhatIsPersonalToThemselves(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	r := encode(t, codec, envelope(), Signed{ContactID: "dana", Name: "Dana Reyes"})[0]
	strangers := newCodec(t, brokenKeyring{})
	decoded := strangers.DecodeSealed([]eventstore.Recorded{r})
	if err := decoded[0].Err; err != nil {
		t.Fatal(err)
	}
	if got, want := decoded[0].Event, (Signed{ContactID: "dana"}); !cmp.Equal(got, any(want)) || decoded[0].Metadata.Business != "acme" {
		t.Errorf("%+v", decoded[0])
	}
}

func TestAMissingKeyIsNoErasure(t *testing.T) {
	t.Parallel()
	batch := encode(t, newCodec(t, codectest.NewKeyring()), envelope(), wholeSigned())

	d := decode(t, newCodec(t, emptyKeyring{}), batch...)[0]
	if d.Err == nil || !strings.Contains(d.Err.Error(), "no key was ever made") || d.Event != nil {
		t.Errorf("without keys: %v, %v", d.Err, d.Event)
	}
	if _, err := newCodec(t, brokenKeyring{}).DecodeBatch(t.Context(), batch); !errors.Is(err, errNoKeys) {
		t.Errorf("without a key store: %v", err)
	}
	if _, err := newCodec(t, brokenKeyring{}).Encode(t.Context(), "note-1", envelope(), wholeSigned()); !errors.Is(err, errNoKeys) {
		t.Errorf("encoding without a key store: %v", err)
	}
}

func TestAPersonalFieldNeedsItsSubject(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	m := envelope()
	m.Actor, m.IP = eventstore.Actor{Kind: eventstore.ActorSystem}, ""
	for name, event := range map[string]any{
		"a string":                    Signed{Name: "Dana"},
		"a date, even the first ever": Signed{},
	} {
		if _, err := codec.Encode(t.Context(), "note-1", m, event); err == nil {
			t.Errorf("%s of nobody was stored", name)
		}
	}
}

func TestErasedPlacesAreUnique(t *testing.T) {
	t.Parallel()
	keys := codectest.NewKeyring()
	codec := newCodec(t, keys)
	batch := encode(t, codec, envelope(), wholeSigned())
	keys.Erase(acme("dana"))
	keys.Erase(acme("sam"))
	erased := decode(t, codec, batch...)[0].Erased
	if slices.Sort(erased); len(slices.Compact(erased)) != len(erased) || !slices.Contains(erased, "consent.witness.names") {
		t.Errorf("%q", erased)
	}
}
