package tuning

import (
	"runtime"
	"testing"
)

func TestTheNodesLimitFollowsWhatLives(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int64{
		0:          nodeLimit,
		160 << 20:  nodeLimit,
		400 << 20:  600 << 20,
		1000 << 20: 1500 << 20,
	} {
		if got := nodeLimitFor(live); got != want {
			t.Errorf("%d MiB live: %d, want %d", live>>20, got, want)
		}
	}
	runtime.GC()
	if live() == 0 {
		t.Error("the runtime does not tell what lives")
	}
}
