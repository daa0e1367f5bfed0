package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Load is a closed loop of writers: each waits for its answer before it sends
// the next event. Only what finishes within the window counts.
type Load struct {
	Writers int
	Warmup  time.Duration
	Window  time.Duration
}

// run drives one write function a writer and returns rate and latencies. The
// first error ends it.
func (l Load) run(ctx context.Context, newWriter func(i int) func(context.Context) error) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Warmup+l.Window+writeLimit)
	defer cancel()
	begin := time.Now().Add(l.Warmup)
	end := begin.Add(l.Window)

	latencies := make([][]time.Duration, l.Writers)
	failures := make([]error, l.Writers)
	var writers sync.WaitGroup
	for i := range l.Writers {
		write := newWriter(i)
		writers.Go(func() {
			latencies[i], failures[i] = loop(ctx, begin, end, write)
			if failures[i] != nil {
				cancel()
			}
		})
	}
	writers.Wait()
	if err := firstCause(failures); err != nil {
		return nil, err
	}
	return latencySample(slices.Concat(latencies...), l.Window)
}

// writeLimit is how long a write may take before the side counts as hung.
const writeLimit = 20 * time.Second

func loop(ctx context.Context, begin, end time.Time, write func(context.Context) error) ([]time.Duration, error) {
	var latencies []time.Duration
	for started := time.Now(); ; {
		if err := write(ctx); err != nil {
			return nil, err
		}
		finished := time.Now()
		if finished.After(end) {
			return latencies, nil
		}
		if !finished.Before(begin) {
			latencies = append(latencies, finished.Sub(started))
		}
		started = finished
	}
}

// firstCause prefers the error that stopped the others to those it caused.
func firstCause(failures []error) error {
	for _, err := range failures {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(failures...)
}

// latencySample turns the latencies of all that finished in the window into
// figures.
func latencySample(latencies []time.Duration, window time.Duration) (Sample, error) {
	if len(latencies) == 0 {
		return nil, errors.New("nothing finished within the window")
	}
	slices.Sort(latencies)
	return Sample{
		Rate: float64(len(latencies)) / window.Seconds(),
		P50:  milliseconds(percentile(latencies, 50)),
		P99:  milliseconds(percentile(latencies, 99)),
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
