package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Pace is an open load: operations are due at a fixed rate, whether or not those
// before have been answered. An operation that has to wait for the one before
// counts from when it was due.
type Pace struct {
	PerSecond int
	Warmup    time.Duration
	Window    time.Duration
	Until     <-chan struct{} // where set, closing it ends the window early
}

// operation returns the latency that counts, given when it was due; counted is
// false where it is a part of the load and no more.
type operation func(ctx context.Context, due time.Time) (latency time.Duration, counted bool, err error)

// run has the writers take turns, one operation each, and returns the latencies.
// The first error ends it.
func (p Pace) run(ctx context.Context, operations []operation) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Warmup+p.Window+writeLimit)
	defer cancel()
	first := time.Now()
	latencies := make([][]time.Duration, len(operations))
	failures := make([]error, len(operations))
	var writers sync.WaitGroup
	for i, operate := range operations {
		writers.Go(func() {
			latencies[i], failures[i] = p.loop(ctx, first, i, len(operations), operate)
			if failures[i] != nil {
				cancel()
			}
		})
	}
	writers.Wait()
	if err := firstCause(failures); err != nil {
		return nil, err
	}
	return latencySample(slices.Concat(latencies...), p.Window)
}

func (p Pace) loop(ctx context.Context, first time.Time, i, writers int, operate operation) ([]time.Duration, error) {
	var latencies []time.Duration
	for n := i; ; n += writers {
		after := time.Duration(n) * time.Second / time.Duration(p.PerSecond)
		if after >= p.Warmup+p.Window || p.ended() {
			return latencies, nil
		}
		due := first.Add(after)
		if early := time.Until(due); early > 0 {
			if err := pause(ctx, early); err != nil {
				return nil, err
			}
			due = time.Now() // the timer's lateness is not the server's
		}
		latency, counted, err := operate(ctx, due)
		if err != nil {
			return nil, err
		}
		if counted && after >= p.Warmup {
			latencies = append(latencies, latency)
		}
	}
}

func (p Pace) ended() bool {
	select {
	case <-p.Until:
		return true
	default:
		return false
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
