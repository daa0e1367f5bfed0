package eventstore

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

const sealedExample = `{"ciphertext":"AAAA","commit":"BBBB"}`

// scanned is metadata as Encode writes it, with every field.
const scanned = `{"$correlationId":"0b9e32c0-7a8b-8f26-a9a5-d83f70e4c9f1",` +
	`"$causationId":"5c0ed7b4-02a7-8c1c-b0f1-64a9e24f6ed2","commandId":"a6c7e1b8-7f5e-8a57-9a30-0f9a4a7c1d33",` +
	`"fingerprint":"Gk4GxKqXiRMlAGMCyHPnRw","business":"acme","operation":"quotes.approve",` +
	`"actor":{"kind":"staff-as-contact","id":"sam","actingFor":"dana"},` +
	`"session":{"id":"s-1","method":"code","at":"2026-03-14T20:40:00Z","channel":"email","address":` + sealedExample + `},` +
	`"ip":` + sealedExample + `,"userAgent":` + sealedExample + `,` +
	`"schema":12,"origin":"import","recordedAt":"2026-03-14T20:42:00.123456789Z","occurredAt":"2025-12-24T08:00:00Z"}`

// byJSON is what encoding/json makes of metadata.
func byJSON(t testing.TB, data []byte) (Metadata, error) {
	t.Helper()
	plan, err := newPlan(reflect.TypeFor[Metadata](), "metadata")
	if err != nil {
		t.Fatal(err)
	}
	d, err := plan.parse(data, reflect.TypeFor[Metadata]())
	if err != nil {
		return Metadata{}, err
	}
	return d.value.Interface().(Metadata), nil
}

// Encode's own form must not fall back to the slow way unnoticed.
func TestEncodedMetadataIsScanned(t *testing.T) {
	t.Parallel()
	codec, err := NewCodec(nil, Event[struct{}]("Nothing", 1))
	if err != nil {
		t.Fatal(err)
	}
	least := Metadata{
		CommandID: uuid.New(), Business: "b", Operation: "o", Origin: OriginLive,
		Actor: Actor{Kind: ActorSystem}, RecordedAt: time.Unix(1, 1),
	}
	proposed, err := codec.Encode(t.Context(), "s-1", least, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{scanned, string(proposed[0].Metadata)} {
		var got Metadata
		ok := got.scan([]byte(data), names{})
		want, err := byJSON(t, []byte(data))
		if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
			t.Errorf("scanned %v, %v: %s\n%s", ok, err, data, diff)
		}
	}
}

func FuzzScanMetadata(f *testing.F) {
	for _, seed := range []string{
		scanned, `{"schema":01}`, `{"schema":1234567890}`, `{"business":"\u0061"}`, `{"business":"é"}`, `{"ip":"1"}`,
		`{"actor":{"kind":"staff"},"actor":{"id":"a"}}`, `{"schema":1}x`, `{"session":{}}`, `{}`, ` {"schema":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Metadata
		if !got.scan(data, names{}) {
			return // which is never wrong
		}
		want, err := byJSON(t, data)
		if err != nil {
			t.Fatalf("encoding/json refuses %s: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("encoding/json reads %s otherwise:\n%s", data, diff)
		}
	})
}
