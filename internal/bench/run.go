package main

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"syscall"
)

// measure takes the rows' figures, a group after the other. Within a group the
// sides take turns, so that a machine whose speed drifts does so for all.
func measure(ctx context.Context, lab *Lab, rows []Row) (results []Result, taken []Taken, err error) {
	outcomes := map[*Side]outcome{}
	for _, group := range groupsOf(rows) {
		sides := sidesOf(rows, group)
		for run := range lab.Runs {
			for _, side := range sides {
				outcomes[side] = takeTurn(ctx, lab, group, run, side, outcomes[side])
				if err := ctx.Err(); err != nil {
					return nil, nil, err
				}
			}
		}
		for _, side := range sides {
			taken = append(taken, Taken{Group: group, Side: side.Name, Samples: outcomes[side].samples})
		}
	}
	for _, row := range rows {
		results = append(results, judge(row, outcomes))
	}
	return results, taken, nil
}

// Taken is all that was measured of a side.
type Taken struct {
	Group   string   `json:"group"`
	Side    string   `json:"side"`
	Samples []Sample `json:"samples"`
}

// takeTurn measures a side once more, unless it has failed before.
func takeTurn(ctx context.Context, lab *Lab, group string, run int, side *Side, so outcome) outcome {
	if so.err != nil {
		return so
	}
	// A side neither collects the garbage nor waits for the writes of the one before.
	debug.FreeOSMemory()
	syscall.Sync()
	sample, err := side.Measure(ctx)
	switch {
	case errors.As(err, new(unavailable)):
		lab.report("%s · %s: not measured: %v", group, side.Name, err)
	case err != nil:
		lab.report("%s · %s: FAILED: %v", group, side.Name, err)
	default:
		lab.report("%s · run %d of %d · %s: %s", group, run+1, lab.Runs, side.Name, sample)
	}
	if err != nil {
		return outcome{err: err}
	}
	return outcome{samples: append(so.samples, sample)}
}

func groupsOf(rows []Row) []string {
	var groups []string
	for _, row := range rows {
		if !slices.Contains(groups, row.Group) {
			groups = append(groups, row.Group)
		}
	}
	return groups
}

func sidesOf(rows []Row, group string) []*Side {
	var sides []*Side
	for _, row := range rows {
		if row.Group != group {
			continue
		}
		for _, side := range []*Side{row.Subject, row.Baseline} {
			if side != nil && !slices.Contains(sides, side) {
				sides = append(sides, side)
			}
		}
	}
	return sides
}
