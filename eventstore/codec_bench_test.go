package eventstore_test

import (
	"testing"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

func BenchmarkEncode(b *testing.B) {
	codec := newCodec(b, codectest.NewKeyring())
	plain, whole := envelope(), envelope()
	plain.IP = ""
	whole.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, bench := range []struct {
		name  string
		m     eventstore.Metadata
		event any
	}{
		{"nothing-personal", plain, Noted{Text: "hello"}},
		{"personal-metadata", whole, Noted{Text: "hello"}},
		{"personal-metadata-and-6-fields", whole, wholeSigned()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := codec.Encode(b.Context(), "note-1", bench.m, bench.event); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode counts an event as one operation; they come in batches of 500.
func BenchmarkDecode(b *testing.B) {
	codec := newCodec(b, codectest.NewKeyring())
	m := envelope()
	m.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, bench := range []struct {
		name  string
		event any
	}{
		{"nothing-personal", Noted{Text: "hello"}},
		{"6-personal-fields", wholeSigned()},
	} {
		batch := make([]eventstore.Recorded, 500)
		for i := range batch {
			batch[i] = encode(b, codec, m, bench.event)[0]
		}
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for done := 0; done < b.N; done += len(batch) {
				decode(b, codec, batch[:min(len(batch), b.N-done)]...)
			}
		})
	}
}
