package eventstore

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func numbered(n uint64) Notice { return Notice{Event: Recorded{Revision: n}} }

func numbers(batch []Notice) []uint64 {
	var all []uint64
	for _, n := range batch {
		all = append(all, n.Event.Revision)
	}
	return all
}

func TestQueueHandsOverWhatHasGathered(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	for n := range uint64(5) {
		if err := q.put(t.Context(), numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	over := errors.New("over")
	q.close(over)
	q.close(errors.New("too late"))
	for _, want := range [][]uint64{{0, 1, 2}, {3, 4}} {
		got, err := q.take(t.Context(), 3)
		if diff := cmp.Diff(want, numbers(got)); diff != "" || err != nil {
			t.Errorf("%v, batch (-want +got):\n%s", err, diff)
		}
	}
	if got, err := q.take(t.Context(), 3); !errors.Is(err, over) {
		t.Errorf("after the last: %v, %v", got, err)
	}
	if err := q.put(t.Context(), numbered(5)); !errors.Is(err, over) {
		t.Errorf("put after closing: %v", err)
	}
}

func TestQueueMakesTheProducerWait(t *testing.T) {
	t.Parallel()
	large := numbered(0)
	large.Event.Data = make([]byte, maxQueuedBytes)
	for name, full := range map[string]*queue{"by number": newQueue(1), "by size": newQueue(1000)} {
		if err := full.put(t.Context(), large); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := full.put(ended, numbered(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: put into a full queue: %v", name, err)
		}
		stored := make(chan error)
		go func() { stored <- full.put(t.Context(), numbered(1)) }()
		for _, want := range []uint64{0, 1} {
			got, err := full.take(t.Context(), 10)
			if err != nil || len(got) != 1 || got[0].Event.Revision != want {
				t.Errorf("%s: took %v, %v", name, numbers(got), err)
			}
		}
		if err := <-stored; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQueueTakesNothingForAContextThatIsOver(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	if err := q.put(t.Context(), numbered(0)); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := q.take(ended, 10); !errors.Is(err, context.Canceled) || len(got) > 0 {
		t.Errorf("took %v, %v", numbers(got), err)
	}
	if got, err := q.take(t.Context(), 10); err != nil || len(got) != 1 {
		t.Errorf("took %v, %v", numbers(got), err)
	}
}
