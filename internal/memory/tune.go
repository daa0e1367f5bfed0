// Package memory sets how the process trades memory for speed.
package memory

import (
	"os"
	"runtime/debug"
)

const (
	// gcPercent lets the heap grow fivefold between collections. Most of what
	// the portal allocates is gone after a request, so that rarer collections
	// cost little memory and save about a fifth of the work of an append.
	gcPercent = 400
	// limit is where collections become frequent instead, in bytes.
	limit = 1 << 30
)

// Tune sets the collector unless the environment does, by GOGC or GOMEMLIMIT.
func Tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
