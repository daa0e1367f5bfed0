package eventstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait between tries: Min after the first one, twice as
// long after each further one, never above Max; up to half of it is left out at
// random, lest everybody knocks at once.
type Backoff struct {
	Min time.Duration // 25 ms by default
	Max time.Duration // 1 s by default
}

func (b Backoff) withDefaults() Backoff {
	if b.Min <= 0 {
		b.Min = 25 * time.Millisecond
	}
	if b.Max <= 0 {
		b.Max = time.Second
	}
	b.Max = max(b.Min, b.Max)
	return b
}

// pause waits after a failed try, counted from 0, and tells whether ctx still
// allows another one.
func (b Backoff) pause(ctx context.Context, try int) bool {
	timer := time.NewTimer(b.delay(try))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b Backoff) delay(try int) time.Duration {
	delay := b.Min
	for ; try > 0 && delay < b.Max; try-- {
		delay *= 2
	}
	delay = min(delay, b.Max)
	return delay - rand.N(delay/2+1) //nolint:gosec // nobody gains by foreseeing it
}
