package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"portal.example/projections/compare"
	"portal.example/projections/invoices"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

const (
	// enough is how many events it takes for a judgement: with fewer, buffers that have
	// a bound are not full, and to begin and to end takes much of the time.
	enough = 10_000_000

	replayPace  = 200 // commands a second
	idleWindows = 8   // how many windows the side without a replay lasts: one pause of the disk should not be its p99
)

// replayed are the projections that are replayed, one after the other.
func replayed() map[Figure]runner.Projection {
	return map[Figure]runner.Projection{TimelineReplay: timeline.Projection{}, InvoicesReplay: invoices.Projection{}}
}

// commandsMeanwhile takes steps at a steady rate until it is told to end.
func (l *Lab) commandsMeanwhile(ctx context.Context, offices []*office, window time.Duration, until <-chan struct{}) (Sample, error) {
	operations := make([]operation, len(offices))
	for i, o := range offices {
		operations[i] = func(_ context.Context, due time.Time) (time.Duration, bool, error) {
			_, _, err := o.triage()
			return time.Since(due), true, err
		}
	}
	pace := Pace{PerSecond: replayPace, Warmup: l.Warmup, Window: window, Until: until}
	sample, err := pace.run(ctx, operations)
	delete(sample, Rate) // it was given
	return sample, err
}

// idle is the side of commands while nothing is replayed.
func (r *replayLog) idle(ctx context.Context) (Sample, error) {
	return r.withPortal(ctx, func(offices []*office, _ *portal) (Sample, error) {
		return r.lab.commandsMeanwhile(ctx, offices, idleWindows*r.lab.Window, nil)
	})
}

// replaying is the side of the same commands during the replays.
func (r *replayLog) replaying(ctx context.Context) (Sample, error) {
	return r.withPortal(ctx, func(offices []*office, p *portal) (Sample, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var live Sample
		failed, over := make(chan error, 1), make(chan struct{})
		go func() {
			var err error
			live, err = r.lab.commandsMeanwhile(ctx, offices, replayLimit, over)
			if err != nil {
				cancel() // the replay is not worth waiting for
			}
			failed <- err
		}()
		took, err := r.replays(ctx)
		close(over)
		if err := firstCause([]error{<-failed, err}); err != nil {
			return nil, err
		}
		if live[Memory], err = peakMemory(p.pid); err != nil {
			return nil, err
		}
		rates, err := r.rates(ctx, took)
		maps.Copy(live, rates)
		return live, err
	})
}

// alone is the side of the replays while nobody uses the portal, which then owes
// nobody anything.
func (r *replayLog) alone(ctx context.Context) (Sample, error) {
	return r.withPortal(ctx, func([]*office, *portal) (Sample, error) {
		took, err := r.replays(ctx)
		if err != nil {
			return nil, err
		}
		return r.rates(ctx, took)
	})
}

// rates are those of the replays. It fails where the new rows are not those that
// were live before.
func (r *replayLog) rates(ctx context.Context, took map[Figure]time.Duration) (Sample, error) {
	sample := Sample{}
	for figure, p := range replayed() {
		rate, err := (&history{pool: r.pool}).rate(ctx, p, took[figure])
		if err != nil {
			return nil, err
		}
		sample[figure] = rate[Rate]
		if err := r.same(ctx, p.Name()); err != nil {
			return nil, err
		}
	}
	return sample, nil
}

// replays has the portal replay one projection after the other, once the load has
// warmed up, and returns how long each takes.
func (r *replayLog) replays(ctx context.Context) (took map[Figure]time.Duration, err error) {
	if err := pause(ctx, r.lab.Warmup); err != nil {
		return nil, err
	}
	took = map[Figure]time.Duration{}
	for _, figure := range []Figure{TimelineReplay, InvoicesReplay} {
		if took[figure], err = r.replay(ctx, replayed()[figure]); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// replay returns how long it takes until requests read the new tables.
func (r *replayLog) replay(ctx context.Context, p runner.Projection) (time.Duration, error) {
	started := time.Now()
	build, err := runner.New(runner.Config{Pool: r.pool, Projections: []runner.Projection{p}}).
		Replay(ctx, p.Name(), runner.Options{CutOver: true})
	if err != nil {
		return 0, err
	}
	err = r.await(ctx, "replay", func(builds []runner.Status) bool {
		return slices.ContainsFunc(builds, func(s runner.Status) bool { return s.Build == build && s.Live })
	})
	return time.Since(started), err
}

// same compares the rows that are live with those that were before, which it
// drops.
func (r *replayLog) same(ctx context.Context, projection string) error {
	builds, err := compare.Builds(ctx, r.pool, projection)
	if err != nil {
		return err
	}
	before, err1 := compare.Choose(builds, "retired")
	live, err2 := compare.Choose(builds, runner.Live)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	report, err := compare.Diff(ctx, r.pool, before.Schema, live.Schema, compare.Options{Timeout: replayLimit})
	if err != nil {
		return err
	}
	for _, t := range report.Tables {
		r.lab.report("replay · %s: of %s rows before %s differ, %s only before, %s only after, %s not compared", t.Name,
			count(int(t.OldRows)), count(int(t.Changed)), count(int(t.OnlyOld)), count(int(t.OnlyNew)), count(int(t.NotYet)))
		if t.OldRows == 0 || t.NotYet > t.NewRows/2 {
			return fmt.Errorf("%s: %d of %d rows are not compared", t.Name, t.NotYet, t.NewRows)
		}
	}
	if report.Different {
		return fmt.Errorf("%s: the replay's rows are not those of before", projection)
	}
	_, err = runner.Drop(ctx, r.pool, projection)
	return err
}

// as is the side with its rate under another name.
func as(figure Figure, side *Side) *Side {
	return &Side{Name: side.Name, Measure: func(ctx context.Context) (Sample, error) {
		sample, err := side.Measure(ctx)
		return Sample{figure: sample[Rate]}, err
	}}
}

func replayRows(lab *Lab) []Row {
	grown := &replayLog{lab: lab, name: "replay", events: lab.Replay}
	small := &replayLog{lab: lab, name: "replay_tenth", events: lab.Replay / 10}
	idle := &Side{Name: "the same without a replay", Measure: grown.idle}
	during := &Side{Name: fmt.Sprintf("replay of %s events", count(grown.events)), Measure: grown.replaying}
	alone := &Side{Name: fmt.Sprintf("replay of %s events, nobody waiting", count(grown.events)), Measure: grown.alone}
	tenth := &Side{Name: fmt.Sprintf("replay of %s events", count(small.events)), Measure: small.replaying}
	filled := func() (*history, error) { return &history{url: grown.url, pool: grown.pool}, grown.unprepared }
	copied := as(TimelineReplay, copying(copiedTimeline, likeTimeline, filled))
	upserted := as(InvoicesReplay, upserting(upsertedInvoices, true, filled))
	const group = "replay"
	rows := []Row{
		{
			Name: "commands during a replay, p99", Group: group, Figure: P99,
			Subject: during, Baseline: idle, Budget: atMost(1.5),
		},
		{Name: "peak memory during a replay", Group: group, Figure: Memory, Subject: during, Baseline: tenth, Budget: atMost(1.1)},
		{Name: "replay of timeline under load", Group: group, Figure: TimelineReplay, Subject: during, Unit: "events/s"},
		{Name: "replay of invoices under load", Group: group, Figure: InvoicesReplay, Subject: during, Unit: "events/s"},
		{
			Name: "replay of timeline, nobody waiting", Group: group, Figure: TimelineReplay, Subject: alone,
			Baseline: copied, Budget: atLeast(0.75), Aim: atLeast(1),
		},
		{
			Name: "replay of invoices, nobody waiting", Group: group, Figure: InvoicesReplay, Subject: alone,
			Baseline: upserted, Budget: atLeast(0.45), Aim: atLeast(0.8),
		},
	}
	for i := range rows {
		if lab.Replay < enough && rows[i].Figure != P99 {
			rows[i].Budget, rows[i].Aim = Bound{}, Bound{}
		}
	}
	return rows
}
