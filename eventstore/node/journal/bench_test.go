package journal

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
)

// How long one durable append takes, without the network around it.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("%d-writers", writers), func(b *testing.B) {
			j, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			data := make([]byte, 500)
			var n atomic.Int64
			b.SetParallelism(max(writers/2, 1))
			b.ResetTimer()
			appendOne := func() {
				stream := fmt.Sprintf("s-%d", n.Add(1)/10)
				if _, err := j.Append(b.Context(), stream, Any, []Event{{ID: uuid.New(), Type: "Noted", JSON: true, Data: data}}); err != nil {
					b.Error(err)
				}
			}
			if writers == 1 {
				for b.Loop() {
					appendOne()
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					appendOne()
				}
			})
		})
	}
}
