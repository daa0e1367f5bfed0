package reactions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"portal.example/internal/database"
)

// How jobs are run.
const (
	jobConnections = 4               // of an instance, for all its queues
	jobsAtOnce     = 4               // of a reaction, in an instance
	jobLimit       = time.Minute     // for a try
	clockCheck     = time.Second     // before a job is looked at again that came too early
	rescueAfter    = 3 * time.Minute // a try of an instance that has died; more than jobLimit
	leaveLimit     = 5 * time.Second // for leaving one

	// keepDone is how long jobs are known that are done. So long an event that
	// comes again leaves no second one, and so old a backup of the log can be for
	// what was done since to be done again.
	keepDone = 30 * 24 * time.Hour
)

// jobArgs is what River stores of a job. The two fields that are marked make it
// one job, however often it is asked for.
type jobArgs struct {
	Reaction string    `json:"reaction" river:"unique"`
	EventID  string    `json:"eventId" river:"unique"`
	Event    Event     `json:"event"`
	Due      time.Time `json:"due"` // zero: at once, or when the reaction says, which was not asked yet
}

// Kind implements river.JobArgs. It is storage.
func (jobArgs) Kind() string { return "reaction" }

// jobs is the queue of what reactions have left for later.
type jobs struct {
	river.WorkerDefaults[jobArgs]

	reactions map[string]Reaction
	metrics   *metrics
	logger    *slog.Logger
	now       func() time.Time
	pool      *pgxpool.Pool
	client    *river.Client[pgx.Tx]
}

func newJobs(ctx context.Context, c Config, reactions map[string]Reaction, m *metrics) (*jobs, error) {
	pool, err := database.Beside(ctx, c.Pool, "portal jobs", jobConnections)
	if err != nil {
		return nil, err
	}
	j := &jobs{reactions: reactions, metrics: m, logger: c.Logger, now: c.Now, pool: pool}
	workers := river.NewWorkers()
	river.AddWorker(workers, j)
	queues := make(map[string]river.QueueConfig)
	for name := range reactions {
		queues[name] = river.QueueConfig{MaxWorkers: jobsAtOnce}
	}
	if len(queues) == 0 {
		return j, nil
	}
	j.client, err = river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: database.JobsSchema, Queues: queues, Workers: workers,
		ErrorHandler: j, Logger: slog.New(warnings{c.Logger.Handler()}),
		JobTimeout: jobLimit, RescueStuckJobsAfter: rescueAfter, SoftStopTimeout: grace,
		// What was given up is kept until somebody looks.
		CancelledJobRetentionPeriod: -1, DiscardedJobRetentionPeriod: -1,
		CompletedJobRetentionPeriod: keepDone,
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("reactions: jobs: %w", err)
	}
	return j, nil
}

// run works jobs until ctx ends, and lets those under way come to an end. It
// fails where it cannot start, as when the database is away.
func (j *jobs) run(ctx context.Context) error {
	if j.client == nil {
		<-ctx.Done()
		return nil
	}
	if err := j.client.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	select {
	case <-j.client.Stopped():
	case <-time.After(jobsLimit):
		j.logger.WarnContext(ctx, "a job of a reaction does not stop; it will be run again")
	}
	return nil
}

func (j *jobs) close() { j.pool.Close() }

// leave leaves a job that acts on the event when it is due: one, however often
// it is asked for. Where due is zero, the job finds that out.
func (j *jobs) leave(ctx context.Context, r Reaction, e Event, due time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	options := &river.InsertOpts{
		Queue:      r.Name,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}
	if due.After(j.now()) {
		options.ScheduledAt = due
	}
	_, err := j.client.Insert(ctx, jobArgs{r.Name, e.ID.String(), e, due}, options)
	if err != nil {
		return outage{fmt.Errorf("leaving a job: %w", err)}
	}
	return nil
}

// Work implements river.Worker.
func (j *jobs) Work(ctx context.Context, work *river.Job[jobArgs]) error {
	// Due is by the portal's clock; the queue goes by that of whichever instance
	// leads it, which may be a little ahead.
	if wait := work.Args.Due.Sub(j.now()); wait > 0 {
		return river.JobSnooze(min(wait, clockCheck))
	}
	r, known := j.reactions[work.Args.Reaction]
	if !known {
		return errors.New("there is no such reaction")
	}
	began := time.Now()
	var err error
	if work.Args.Due.IsZero() && r.Due != nil {
		var due time.Time
		due, err = r.Due(ctx, work.Args.Event)
		if wait := due.Sub(j.now()); err == nil && wait > 0 {
			return river.JobSnooze(wait)
		}
		if err == nil && due.IsZero() { // nothing to do
			j.metrics.tried(r.Name, job, time.Since(began), nil)
			return nil
		}
	}
	if err == nil {
		err = r.Act(ctx, work.Args.Event)
	}
	j.metrics.tried(r.Name, job, time.Since(began), err)
	return err
}

// HandleError implements river.ErrorHandler.
func (j *jobs) HandleError(ctx context.Context, work *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	last := work.Attempt >= work.MaxAttempts
	j.logger.WarnContext(ctx, "a job of a reaction failed",
		"reaction", work.Queue, "job", work.ID, "attempt", work.Attempt, "last", last, "error", err)
	if last {
		j.metrics.parked.WithLabelValues(work.Queue, job).Inc()
	}
	return nil
}

// HandlePanic implements river.ErrorHandler. What panics would do so again: it
// is given up, and kept with its stack.
func (j *jobs) HandlePanic(ctx context.Context, work *rivertype.JobRow, value any, stack string) *river.ErrorHandlerResult {
	j.logger.ErrorContext(ctx, "a job of a reaction panicked",
		"reaction", work.Queue, "job", work.ID, "panic", value, "stack", stack)
	j.metrics.failed.WithLabelValues(work.Queue, job).Inc()
	j.metrics.parked.WithLabelValues(work.Queue, job).Inc()
	return &river.ErrorHandlerResult{SetCancelled: true}
}

// warnings leaves out what River tells of its own life.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
