package eventstore

import (
	"testing"
	"time"
)

func TestBackoffGrowsUpToItsLimit(t *testing.T) {
	t.Parallel()
	b := Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond}.withDefaults()
	for try, longest := range []time.Duration{10, 20, 40, 50, 50} {
		longest *= time.Millisecond
		for range 100 {
			if d := b.delay(try); d < longest/2 || d > longest {
				t.Fatalf("after try %d: %s, want between %s and %s", try, d, longest/2, longest)
			}
		}
	}
	if b := (Backoff{Min: time.Minute}).withDefaults(); b.Max != time.Minute {
		t.Errorf("the longest wait is %s, shorter than the shortest", b.Max)
	}
}
