package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestAPaceIsKeptAndItsWarmupNotCounted(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	operate := func(_ context.Context, due time.Time) (time.Duration, bool, error) {
		done.Add(1)
		return time.Since(due), true, nil
	}
	p := Pace{PerSecond: 1000, Warmup: 20 * time.Millisecond, Window: 40 * time.Millisecond}
	sample, err := p.run(t.Context(), []operation{operate, operate, operate})
	if err != nil {
		t.Fatal(err)
	}
	if done.Load() != 60 || sample[Rate] != 1000 {
		t.Errorf("%d operations, %v counted a second", done.Load(), sample[Rate])
	}
}

// Whoever is held up by the operation before has waited since it was due.
func TestALateOperationCountsFromWhenItWasDue(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	var second time.Time
	p := Pace{PerSecond: 1000, Window: 2 * time.Millisecond}
	n := 0
	_, err := p.run(t.Context(), []operation{func(ctx context.Context, due time.Time) (time.Duration, bool, error) {
		if n++; n == 1 {
			return 0, true, pause(ctx, 20*time.Millisecond)
		}
		second = due
		return 0, true, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(second); waited < 10*time.Millisecond || second.Before(begin) {
		t.Errorf("the second was due %v ago", waited)
	}
}

func TestTheFirstErrorEndsThePace(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	_, err := Pace{PerSecond: 1, Window: time.Hour}.run(t.Context(), []operation{
		func(context.Context, time.Time) (time.Duration, bool, error) { return 0, false, refused },
		func(context.Context, time.Time) (time.Duration, bool, error) { return 0, true, nil },
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}
