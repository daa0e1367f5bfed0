// Package tuning sets how the Go runtime spends memory and processors.
package tuning

import (
	"os"
	"runtime"
	"runtime/debug"
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
	// nodeLimit is the same for a process that only serves the log, with 160 MiB live
	// at ten million events.
	nodeLimit = 256 << 20
)

// Runtime sets the collector and the scheduler, but for what the environment
// sets by GOGC, GOMEMLIMIT or GOMAXPROCS.
func Runtime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	limitMemory(memoryLimit)
	if os.Getenv("GOMAXPROCS") == "" {
		// The log syncs its disk nearly all the time, and a goroutine in that
		// system call keeps its processor for a while before the scheduler
		// takes it away: one more makes up for it.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// Node is Runtime, for a process that only serves the log.
func Node() {
	Runtime()
	limitMemory(nodeLimit)
}

func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}
