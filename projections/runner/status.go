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
	Live        bool   // requests read it
	Kept        bool   // it was live before, and is kept to go back to
	Ended       bool   // it was a part, whose rows are live by now; if none of these, it is being filled
	Temporary   bool   // it never goes live
	Scope       *Scope // part of the log that it is filled from; nil for all of it
	Position    eventstore.Position
	AsOf        time.Time // the tables are complete up to here
	CaughtUp    bool      // there was nothing left to apply, when last looked
	Leading     bool      // by this instance
	Led         bool      // by any instance
	Quarantined int       // streams
	PutAside    string    // why it is not followed any more, see ErrStuck; empty if it is

	// Of a build that is being filled.
	Progress Progress
	Paused   bool
	Throttle int    // events a second; 0 for no bound
	Ready    bool   // all is applied, for the moment or for good, and it waits for the cut-over
	Cutting  bool   // the cut-over has been asked for
	Note     string // what it waits for
}

// The states of a build.
const (
	Building = "building" // it is being filled, or waits for its cut-over
	Live     = "live"
	Kept     = "kept"
	Ended    = "ended"
	Aside    = "put aside" // nobody follows it, see ErrStuck
)

// State is one of the states.
func (s Status) State() string {
	switch {
	case s.PutAside != "":
		return Aside
	case s.Live:
		return Live
	case s.Kept:
		return Kept
	case s.Ended:
		return Ended
	default:
		return Building
	}
}

// Lag is how far the tables are behind in time.
func (s Status) Lag(now time.Time) time.Duration { return max(0, now.Sub(s.AsOf)) }

// Status tells how each build of each projection in the database is doing.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	return r.status(ctx, `state <> 'retired' OR live_at IS NOT NULL`)
}

// Look tells how one build is doing; ErrNoReplay where it was cancelled or dropped.
func (r *Runner) Look(ctx context.Context, build int64) (Status, error) {
	found, err := r.status(ctx, `id = $2`, build)
	if err != nil {
		return Status{}, err
	}
	if len(found) == 0 || found[0].Ended && found[0].Note == "" {
		return Status{}, fmt.Errorf("runner: build %d: %w", build, ErrNoReplay)
	}
	return found[0], nil
}

func (r *Runner) status(ctx context.Context, which string, args ...any) ([]Status, error) {
	rows, err := r.cfg.Pool.Query(ctx, `
		SELECT projection, version, id, schema, state = 'live', state = 'retired' AND live_at IS NOT NULL,
		       state = 'retired' AND live_at IS NULL, purpose = 'temporary', scope,
		       commit_position, prepare_position, as_of, caught_up,
		       EXISTS (SELECT FROM pg_locks WHERE `+ledBy("id")+`),
		       (SELECT count(*) FROM runner.quarantine WHERE build_id = id),
		       wanted = 'pause', coalesce(throttle, 0), (caught_up OR complete) AND cardinality(deferred_indexes) = 0,
		       cutover_asked IS NOT NULL, note, events, target, rate, speed, complete, coalesce(put_aside, '')
		FROM runner.builds WHERE `+which+` ORDER BY projection, id`, append([]any{lockSpace}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("runner: reading the status: %w", err)
	}
	statuses, err := pgx.CollectRows(rows, statusOf)
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

func statusOf(row pgx.CollectableRow) (s Status, err error) {
	var (
		events      int64
		target      uint64
		rate, speed float64
		complete    bool
	)
	err = row.Scan(&s.Projection, &s.Version, &s.Build, &s.Schema, &s.Live, &s.Kept, &s.Ended, &s.Temporary, &s.Scope,
		&s.Position.Commit, &s.Position.Prepare, &s.AsOf, &s.CaughtUp, &s.Led, &s.Quarantined,
		&s.Paused, &s.Throttle, &s.Ready, &s.Cutting, &s.Note, &events, &target, &rate, &speed, &complete,
		&s.PutAside)
	if s.Live || s.Kept {
		s.Ready, s.Paused, s.Throttle, s.Cutting, s.Note = false, false, 0, false, ""
		s.Progress = Progress{Events: events, Fraction: 1}
		return s, err
	}
	if s.Paused || !s.Led {
		rate, speed = 0, 0 // what was of late is not any more
	}
	s.Progress = progressOf(events, s.Position.Commit, target, rate, speed, s.CaughtUp || complete)
	return s, err
}

// noticeSwaps sees when another build has become live than before. It may be
// behind the one before it, when somebody went back to it as it was.
func (r *Runner) noticeSwaps(ctx context.Context) error {
	rows, err := r.cfg.Pool.Query(ctx, `
		SELECT projection, id, commit_position, prepare_position FROM runner.builds WHERE state = 'live'`)
	if err != nil {
		return err
	}
	var (
		projection string
		id         int64
		at         eventstore.Position
	)
	_, err = pgx.ForEachRow(rows, []any{&projection, &id, &at.Commit, &at.Prepare}, func() error {
		before, seen := r.live[projection]
		if track := r.track(projection); track != nil && seen && before != id {
			track.restart(at)
		}
		r.live[projection] = id
		return nil
	})
	return err
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
	track := r.track(projection)
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
	r.track(projection).arrive(position)
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
