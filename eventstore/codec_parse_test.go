package eventstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// The room in which events are made is used again: none may show what was in an
// earlier one, nor change when a later one is made.
func TestAnEventHasNothingOfAnother(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, codectest.NewKeyring())
	whole, other := wholeSigned(), wholeSigned()
	other.Lines = []Line{{Cents: 7}, {Cents: 8}}
	var batch []eventstore.Recorded
	for _, event := range []any{whole, Signed{ContactID: "sam"}, other, Noted{Text: "one"}, Noted{}, Noted{Text: "two"}} {
		batch = append(batch, encode(t, codec, envelope(), event)...)
	}
	alone := func(decode func([]eventstore.Recorded) []eventstore.Decoded) (events []any) {
		for i := range batch {
			fresh := decode(batch[i : i+1])
			if fresh[0].Err != nil {
				t.Fatal(fresh[0].Err)
			}
			events = append(events, fresh[0].Event)
		}
		return events
	}
	together := func(decoded []eventstore.Decoded) (events []any) {
		for i := range decoded {
			events = append(events, decoded[i].Event)
		}
		return events
	}
	sealed := together(codec.DecodeSealed(batch))
	opened := together(decode(t, codec, batch...))
	if diff := cmp.Diff([]any{wholeSigned(), Signed{ContactID: "sam"}}, opened[:2]); diff != "" {
		t.Errorf("opened:\n%s", diff)
	}
	if got := sealed[2].(Signed).Lines; len(got) != 2 || got[0].Cents != 7 || len(sealed[0].(Signed).Lines) != 3 {
		t.Errorf("lines: %+v and %+v", sealed[0].(Signed).Lines, got)
	}
	if diff := cmp.Diff([]any{Noted{Text: "one"}, Noted{}, Noted{Text: "two"}}, sealed[3:]); diff != "" {
		t.Errorf("plain events:\n%s", diff)
	}
	if diff := cmp.Diff(alone(codec.DecodeSealed), sealed); diff != "" {
		t.Errorf("sealed, alone and together:\n%s", diff)
	}
	if diff := cmp.Diff(alone(func(one []eventstore.Recorded) []eventstore.Decoded { return decode(t, codec, one...) }), opened); diff != "" {
		t.Errorf("opened, alone and together:\n%s", diff)
	}
}
