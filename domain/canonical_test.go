package domain_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/domain"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   any
		want string
	}{
		"nothing":              {nil, `null`},
		"truth":                {[]bool{true, false}, `[true,false]`},
		"integers":             {[]int64{0, -1, 1<<53 - 1, -(1<<53 - 1)}, `[0,-1,9007199254740991,-9007199254740991]`},
		"members are sorted":   {map[string]any{"b": 1, "a": map[string]any{}, "B": []int{}}, `{"B":[],"a":{},"b":1}`},
		"by UTF-16, not UTF-8": {map[string]int{"\ufb33": 1, "\U0001f600": 2}, "{\"\U0001f600\":2,\"\ufb33\":1}"},
		"short escapes":        {"\b\t\n\f\r\"\\", `"\b\t\n\f\r\"\\"`},
		"long escapes":         {"\x00\x1f", `"\u0000\u001f"`},
		"no other escapes":     {"</é\u2028\x7f&>", "\"</é\u2028\x7f&>\""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := domain.Canonical(test.in)
			if diff := cmp.Diff(test.want, string(got)); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestCanonicalRefusesWhatADoubleChanges(t *testing.T) {
	t.Parallel()
	for _, v := range []any{1.5, int64(1 << 53), json.Number("1e3"), map[string]any{"a": []any{0.1}}, func() {}} {
		if got, err := domain.Canonical(v); err == nil {
			t.Errorf("%v became %s", v, got)
		}
	}
}

// What is written reads back as what it was, and writing it again changes
// nothing.
func TestCanonicalIsAFixedPoint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Filter(utf8.ValidString)
		in := rapid.MapOf(text, rapid.SliceOf(text)).Draw(t, "in")
		first, err := domain.Canonical(in)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string][]string
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, back); diff != "" {
			t.Fatalf("(-in +back):\n%s", diff)
		}
		second, err := domain.Canonical(json.RawMessage(first))
		if err != nil || string(second) != string(first) {
			t.Fatalf("error %v: %s became %s", err, first, second)
		}
	})
}
