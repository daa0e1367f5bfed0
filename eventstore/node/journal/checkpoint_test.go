package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// A copy that is made while retention deletes and others write is as whole as the
// log: every event that its index names is there, each stream shows what its
// metadata says, and nothing that was acknowledged is missing.
func TestACheckpointWhileRetentionDeletes(t *testing.T) {
	t.Parallel()
	const streams, kept, copies = 20, 5, 3
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "data"), Options{pace: hurried(), memTable: 256 << 10})
	stream := func(n int) string { return fmt.Sprintf("s-%d", n%streams) }
	for n := range streams {
		describe(t, j, stream(n), fmt.Sprintf(`{"$maxCount":%d}`, kept))
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	var deleted atomic.Int64
	beside.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			e := event("E")
			e.Data = make([]byte, 300)
			if _, err := j.Append(t.Context(), stream(n), Any, []Event{e, event("E")}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	beside.Go(func() {
		for ctx.Err() == nil {
			leaveTail(j)
			f, err := j.retention.everyStream(ctx)
			deleted.Add(int64(f.events))
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	for good, round := 0, 0; good < copies; round++ {
		if round == 1000 {
			t.Fatal("nothing is ever deleted while a copy is made")
		}
		before, head := deleted.Load(), j.Head()
		to := filepath.Join(dir, fmt.Sprint("copy", round))
		if err := j.Checkpoint(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if deleted.Load() == before {
			continue // it was alone
		}
		good++
		checkCopy(t, to, head, streams, kept, stream)
	}
}

func checkCopy(t *testing.T, dir string, head uint64, streams, kept int, stream func(int) string) {
	t.Helper()
	if s, err := Inspect(t.Context(), dir, nil); err != nil || s.Position < head {
		t.Fatalf("the copy ends at %d, %d had been acknowledged: %v", s.Position, head, err)
	}
	j := open(t, dir, Options{})
	for n := range streams {
		shown := revisions(t, j, stream(n))
		s, err := j.Stream(stream(n))
		if err != nil {
			t.Fatal(err)
		}
		for i, revision := range shown {
			if revision != uint64(s.Last)-uint64(len(shown)-1-i) {
				t.Fatalf("%s ends at %d and shows %v", stream(n), s.Last, shown)
			}
		}
		if len(shown) != min(kept, int(s.Last)+1) {
			t.Errorf("%s shows %v, %d at most count", stream(n), shown, kept)
		}
	}
}
