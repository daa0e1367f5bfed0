// Package wait waits for a while, or until there is no reason to wait any more.
//
// Package eventstore, which others use by itself, has its own.
package wait

import (
	"context"
	"time"
)

// For waits for d and is false when ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
