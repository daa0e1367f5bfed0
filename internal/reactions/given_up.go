package reactions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"portal.example/eventstore"
	"portal.example/internal/database"
)

// Queue looks after the jobs of reactions from beside, whether or not somebody
// runs them.
type Queue struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// NewQueue is the queue in a database that has been migrated.
func NewQueue(pool *pgxpool.Pool) (*Queue, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: database.JobsSchema, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("reactions: jobs: %w", err)
	}
	return &Queue{pool, client}, nil
}

// GivenUp is a job that nobody will try again by themselves: it failed as often as
// it may, or panicked.
type GivenUp struct {
	Job      int64
	Reaction string
	Event    Event
	At       time.Time // when it was given up
	Attempts int
	Reason   string // the last error
	Stack    string // of a panic
}

// Account is how the jobs of a reaction stand.
type Account struct {
	Reaction string
	Retrying int        // that failed and will be tried again
	GivenUp  int        // that failed and will not
	Oldest   *time.Time // when the first of the latter was given up; nil: there is none
}

// Accounts are those of all reactions that have ever been run on this database.
func (q *Queue) Accounts(ctx context.Context) ([]Account, error) {
	rows, err := q.pool.Query(ctx, `
		SELECT name, count(id) FILTER (WHERE state = 'retryable'),
		       count(id) FILTER (WHERE state <> 'retryable'), min(finalized_at) FILTER (WHERE state <> 'retryable')
		FROM (SELECT name FROM jobs.river_queue UNION SELECT queue FROM jobs.river_job WHERE kind = $1) AS queues
		LEFT JOIN jobs.river_job ON queue = name AND kind = $1 AND state IN ('retryable', 'discarded', 'cancelled')
		GROUP BY name ORDER BY name`, jobArgs{}.Kind())
	if err != nil {
		return nil, fmt.Errorf("reactions: jobs: %w", err)
	}
	accounts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Account])
	if err != nil {
		return nil, fmt.Errorf("reactions: jobs: %w", err)
	}
	return accounts, nil
}

// page is how many jobs are fetched at once.
const page = 500

// GivenUp yields the jobs of a reaction that were given up, the oldest job first.
func (q *Queue) GivenUp(ctx context.Context, reaction string) iter.Seq2[GivenUp, error] {
	return func(yield func(GivenUp, error) bool) {
		wanted := river.NewJobListParams().Kinds(jobArgs{}.Kind()).Queues(reaction).
			States(rivertype.JobStateDiscarded, rivertype.JobStateCancelled)
		for row, err := range q.list(ctx, wanted) {
			if err != nil {
				yield(GivenUp{}, err)
				return
			}
			g, err := givenUp(row)
			if !yield(g, err) || err != nil {
				return
			}
		}
	}
}

// list yields jobs in the order of their ids, page by page.
func (q *Queue) list(ctx context.Context, wanted *river.JobListParams) iter.Seq2[*rivertype.JobRow, error] {
	return func(yield func(*rivertype.JobRow, error) bool) {
		wanted = wanted.OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(page)
		for {
			found, err := q.client.JobList(ctx, wanted)
			if err != nil {
				yield(nil, fmt.Errorf("reactions: jobs: %w", err))
				return
			}
			for _, row := range found.Jobs {
				if !yield(row, nil) {
					return
				}
			}
			if len(found.Jobs) < page {
				return
			}
			wanted = wanted.After(found.LastCursor)
		}
	}
}

func givenUp(row *rivertype.JobRow) (GivenUp, error) {
	var args jobArgs
	if err := json.Unmarshal(row.EncodedArgs, &args); err != nil {
		return GivenUp{}, fmt.Errorf("reactions: job %d: %w", row.ID, err)
	}
	g := GivenUp{Job: row.ID, Reaction: row.Queue, Event: args.Event, Attempts: row.Attempt}
	if row.FinalizedAt != nil {
		g.At = *row.FinalizedAt
	}
	if n := len(row.Errors); n > 0 {
		g.Reason, g.Stack = row.Errors[n-1].Error, row.Errors[n-1].Trace
	}
	return g, nil
}

// Retry has a job tried again, as the same job: there is one for an event. It has
// one try more than it has had.
func (q *Queue) Retry(ctx context.Context, id int64) error {
	if _, err := q.client.JobRetry(ctx, id); err != nil {
		return fmt.Errorf("reactions: retry job %d: %w", id, err)
	}
	return nil
}

// Forget deletes a job. One that is not there any more is forgotten already.
func (q *Queue) Forget(ctx context.Context, id int64) error {
	if _, err := q.client.JobDelete(ctx, id); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
		return fmt.Errorf("reactions: delete job %d: %w", id, err)
	}
	return nil
}

// Find is the event as the log has it; false where the log does not have it.
func (e Event) Find(ctx context.Context, log *eventstore.Client) (eventstore.Recorded, bool, error) {
	for r, err := range log.ReadStream(ctx, e.Stream, 0) {
		switch {
		case errors.Is(err, eventstore.ErrStreamNotFound), errors.Is(err, eventstore.ErrStreamDeleted):
			return eventstore.Recorded{}, false, nil
		case err != nil || r.ID == e.ID:
			return r, err == nil, err
		}
	}
	return eventstore.Recorded{}, false, nil
}
