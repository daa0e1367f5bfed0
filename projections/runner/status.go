package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

// Status is how one build of a projection is doing.
type Status struct {
	Projection  string
	Version     int
	Build       int64
	Schema      string
	Live        bool // requests read it; otherwise it is being filled, see Rebuild
	Position    eventstore.Position
	AsOf        time.Time // the tables are complete up to here
	CaughtUp    bool      // there was nothing left to apply, when last looked
	Leading     bool      // by this instance
	Quarantined int       // streams
}

// Lag is how far the tables are behind in time.
func (s Status) Lag(now time.Time) time.Duration { return max(0, now.Sub(s.AsOf)) }

// Status tells how each build of each projection in the database is doing.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	rows, err := r.cfg.Pool.Query(ctx, `
		SELECT projection, version, id, schema, state = 'live', commit_position, prepare_position, as_of, caught_up,
		       (SELECT count(*) FROM runner.quarantine WHERE build_id = id)
		FROM runner.builds WHERE state <> 'retired' ORDER BY projection, id`)
	if err != nil {
		return nil, fmt.Errorf("runner: reading the status: %w", err)
	}
	statuses, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Status, err error) {
		err = row.Scan(&s.Projection, &s.Version, &s.Build, &s.Schema, &s.Live,
			&s.Position.Commit, &s.Position.Prepare, &s.AsOf, &s.CaughtUp, &s.Quarantined)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("runner: reading the status: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range statuses {
		statuses[i].Leading = r.leads[statuses[i].Build]
	}
	return statuses, nil
}

const (
	firstLook   = 5 * time.Millisecond
	laterLooks  = 50 * time.Millisecond
	lookTimeout = 5 * time.Second
)

// WaitFor returns once the live tables of the projection contain what the log
// has up to the position. It works on an instance that does not lead, and waits
// for Postgres too; it lasts as long as ctx, whose error it returns.
func (r *Runner) WaitFor(ctx context.Context, projection string, position eventstore.Position) error {
	track := r.tracks[projection]
	if track == nil {
		return fmt.Errorf("runner: there is no projection %q", projection)
	}
	pause := firstLook
	var last error
	for {
		reached, moved := track.reached(position)
		if reached {
			return nil
		}
		// Where another instance leads, its checkpoint tells.
		timer := time.NewTimer(pause)
		select {
		case <-moved:
			timer.Stop()
			continue
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(fmt.Errorf("runner: waiting for %s: %w", projection, ctx.Err()), last)
		case <-timer.C:
		}
		if err := r.look(ctx, projection); ctx.Err() == nil {
			last = err
		}
		pause = min(2*pause, laterLooks)
	}
}

// look reads where the projection is from Postgres.
func (r *Runner) look(ctx context.Context, projection string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	rows, err := r.cfg.Pool.Query(ctx, `
		SELECT commit_position, prepare_position FROM runner.builds
		WHERE projection = $1 AND state = 'live' AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)`, projection)
	if err != nil {
		return fmt.Errorf("runner: looking where %s is: %w", projection, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[eventstore.Position])
	if err != nil {
		return fmt.Errorf("runner: looking where %s is: %w", projection, err)
	}
	for _, position := range found {
		r.arrived(projection, position)
	}
	return nil
}

// arrived makes known that the live tables of the projection contain what the
// log has up to the position.
func (r *Runner) arrived(projection string, position eventstore.Position) {
	r.tracks[projection].arrive(position)
}

// track is how far a projection's live tables are known to be.
type track struct {
	mu    sync.Mutex
	at    eventstore.Position
	moved chan struct{} // closed when at moves
}

func newTrack() *track { return &track{moved: make(chan struct{})} }

func (t *track) reached(position eventstore.Position) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at.Compare(position) >= 0, t.moved
}

// restart is where the tables are after the leadership began anew. It can be
// behind what they were: a crash of Postgres may take the last moments away,
// which then come again from the log.
func (t *track) restart(position eventstore.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = position
}

func (t *track) arrive(position eventstore.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.Compare(position) < 0 {
		t.at = position
		close(t.moved)
		t.moved = make(chan struct{})
	}
}
