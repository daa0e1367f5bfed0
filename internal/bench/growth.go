package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// grownLog is a side of the growth rows: a node on a log that holds so many
// events already.
type grownLog struct {
	lab    *Lab
	events int
	keep   bool // from run to run, because filling takes long

	dir    string
	filled *filledLog
}

// measure opens the node on the filled log and appends with one writer, then
// with 32, half of it to streams that have been there before. The node was
// killed before it is opened, so that opening includes recovery.
func (g *grownLog) measure(ctx context.Context) (sample Sample, err error) {
	if g.filled == nil {
		if err := g.fill(ctx); err != nil {
			return nil, err
		}
	}
	s, err := startApart(ctx, embeddedNode, g.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.kill(), g.discard()) }()

	alone, err := g.append(ctx, s, 1)
	if err != nil {
		return nil, err
	}
	together, err := g.append(ctx, s, 32)
	if err != nil {
		return nil, err
	}
	memory, err := s.peakMemory()
	if err != nil {
		return nil, err
	}
	return Sample{
		P50: alone[P50], P99: alone[P99], Rate: together[Rate],
		Opening: s.opening.Seconds(), Memory: memory,
	}, nil
}

func (g *grownLog) fill(ctx context.Context) (err error) {
	if g.dir, err = g.lab.tempDir("grown"); err != nil {
		return err
	}
	s, err := startApart(ctx, embeddedNode, g.dir)
	if err != nil {
		return err
	}
	filled, err := fill(ctx, s.client, g.lab.payloads, g.events, func(done int) {
		if g.keep {
			g.lab.report("growth · filling the log: %s of %s events", count(done), count(g.events))
		}
	})
	if err := errors.Join(err, s.kill()); err != nil {
		return err
	}
	g.filled = filled
	return nil
}

func (g *grownLog) append(ctx context.Context, s *server, writers int) (Sample, error) {
	return g.lab.load(writers).run(ctx, func(i int) func(context.Context) error {
		return g.filled.newMixedAppender(byClient(s.client), g.lab.payloads, i, writers)
	})
}

// discard makes the next run begin with a log of the stated size again.
func (g *grownLog) discard() error {
	if g.keep {
		return nil
	}
	g.filled = nil
	return os.RemoveAll(g.dir)
}

func growthRows(lab *Lab) []Row {
	side := func(events int, keep bool) *Side {
		log := &grownLog{lab: lab, events: events, keep: keep}
		return &Side{Name: fmt.Sprintf("node at %s events", count(events)), Measure: log.measure}
	}
	small, grown := side(lab.Small, false), side(lab.Events, true)
	const group = "growth"
	return []Row{
		{
			Name: "append at size, 1 writer, p50", Group: group, Figure: P50,
			Subject: grown, Baseline: small, Budget: atMost(1.25), Aim: atMost(1.15),
		},
		{
			Name: "append at size, 32 writers", Group: group, Figure: Rate,
			Subject: grown, Baseline: small, Budget: atLeast(0.65), Aim: atLeast(0.85),
		},
		{
			Name: "opening at size, after a crash", Group: group, Figure: Opening,
			Subject: grown, Budget: atMost(0.5), Unit: "s",
		},
		{
			Name: "peak memory at size", Group: group, Figure: Memory,
			Subject: grown, Budget: atMost(300), Unit: "MB",
		},
	}
}
