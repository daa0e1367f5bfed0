// Package tuning sets how the Go runtime spends memory and processors.
package tuning

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent lets the heap grow fivefold between collections. Most of what
	// the portal allocates is gone after a request, so that rarer collections
	// cost little memory and save about a fifth of the work of an append.
	gcPercent = 400
	// memoryLimit is where collections become frequent instead, in bytes. It bounds
	// what a replay takes, however long: 160 MiB live, most of it the log's cache,
	// and what is gone but not yet collected.
	memoryLimit = 768 << 20
	// nodeLimit is the same for a process that only serves the log, bytes.
	nodeLimit = 256 << 20
)

// Runtime sets the collector and the scheduler, but for what the environment
// sets by GOGC, GOMEMLIMIT or GOMAXPROCS.
func Runtime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// The log syncs its disk nearly all the time, and a goroutine in that
		// system call keeps its processor for a while before the scheduler
		// takes it away: one more makes up for it.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// Node lets a process that only serves the log take less than Runtime does, until ctx
// ends. Where more than expected lives, because many readers are slow or groups hold
// events, the limit rises with it: a collector that cannot get below its limit would
// take half of the processors for nothing.
func Node(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := int64(nodeLimit)
	debug.SetMemoryLimit(limit)
	go func() {
		look := time.NewTicker(time.Second)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if next := nodeLimitFor(live()); next > limit*9/8 || next < limit*7/8 {
					limit = next
					debug.SetMemoryLimit(limit)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
}

// nodeLimitFor is half as much again as lives, and nodeLimit where that is more.
func nodeLimitFor(live uint64) int64 { return max(nodeLimit, int64(live/2*3)) }

// live is the heap that the last collection has found in use, bytes.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
