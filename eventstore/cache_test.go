package eventstore

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestTurnsAreOneAtATimeAndLeaveNothing(t *testing.T) {
	t.Parallel()
	var turns turns
	var wait sync.WaitGroup
	counts := map[string]*int{"a": new(int), "b": new(int)} // unguarded but for the turns
	for range 50 {
		for stream, count := range counts {
			wait.Go(func() {
				done, err := turns.take(t.Context(), stream)
				if err != nil {
					t.Error(err)
					return
				}
				defer done()
				*count++
			})
		}
	}
	wait.Wait()
	for stream, count := range counts {
		if *count != 50 {
			t.Errorf("%s had %d turns", stream, *count)
		}
	}

	done, err := turns.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.take(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("waited with %v", err)
	}
	done()
	if len(turns.lines) != 0 {
		t.Errorf("%d lines are left", len(turns.lines))
	}
}
