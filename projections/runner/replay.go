package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	// ErrUnderWay says that the projection is being filled already. Watch that, or
	// cancel it.
	ErrUnderWay = errors.New("a replay of the projection is under way")

	// ErrNothingLive says that there are no live tables to fill others beside. The
	// first ones are filled by whoever runs the projection.
	ErrNothingLive = errors.New("the projection has no live tables yet")

	// ErrNoReplay says that no build of the projection is being filled.
	ErrNoReplay = errors.New("no replay of the projection is under way")
)

// Options say how tables are filled beside the live ones.
type Options struct {
	Scope    Scope // of the log; all of it by default
	Throttle int   // events of the log a second; 0 for as fast as it goes

	// CutOver has the tables go live, or the part replace its rows, as soon as
	// they have caught up; otherwise they wait for CutOver.
	CutOver bool

	// Temporary tables never go live. Whoever asked for them cancels them.
	Temporary bool

	shared bool // temporary, and of all who ask for the same: see AsOf
}

// Replay makes new tables for the projection, to be filled from the log beside
// the live ones, and returns the build. Whoever runs the projection, here or
// elsewhere, fills them; see Status. They wait, kept up with the log, for CutOver
// or Cancel. Of builds that are not temporary there is one at a time.
func (r *Runner) Replay(ctx context.Context, projection string, o Options) (int64, error) {
	p, err := r.projection(ctx, projection)
	if err != nil {
		return 0, err
	}
	if err := o.check(p); err != nil {
		return 0, fmt.Errorf("runner: replaying %s: %w", projection, err)
	}
	if err := sweep(ctx, r.cfg.Pool, projection); err != nil {
		return 0, fmt.Errorf("runner: replaying %s: %w", projection, err)
	}
	b, err := makeBuild(ctx, r.cfg.Pool, p, &o)
	if err != nil {
		return 0, fmt.Errorf("runner: replaying %s: %w", projection, err)
	}
	r.lookAround()
	return b.id, nil
}

func (o Options) check(p Projection) error {
	if o.Throttle < 0 {
		return fmt.Errorf("a throttle of %d events a second", o.Throttle)
	}
	if err := o.Scope.check(); err != nil {
		return err
	}
	if o.CutOver && o.Temporary {
		return fmt.Errorf("%w: the tables are temporary", ErrNoCutOver)
	}
	if o.CutOver {
		return o.Scope.replaceable(p)
	}
	return nil
}

// purpose is what a build is for.
type purpose string

const (
	forVersion purpose = "version"
	forReplay  purpose = "replay"
	temporary  purpose = "temporary"
)

func (o Options) purpose() purpose {
	if o.Temporary {
		return temporary
	}
	return forReplay
}

// UnderWay is the build of the projection that is being filled, or has been and
// waits for its cut-over; ErrNoReplay where there is none. Temporary ones do not
// count.
func UnderWay(ctx context.Context, pool *pgxpool.Pool, projection string) (int64, error) {
	id, err := underWay(ctx, pool, projection)
	if err != nil {
		return 0, fmt.Errorf("runner: %s: %w", projection, err)
	}
	return id, nil
}

func underWay(ctx context.Context, db querier, projection string) (id int64, err error) {
	err = db.QueryRow(ctx, `
		SELECT id FROM runner.builds
		WHERE projection = $1 AND state = 'building' AND purpose <> 'temporary'
		  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
		ORDER BY id DESC LIMIT 1`, projection).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ErrNoReplay
	}
	return id, err
}

// Pause has a build that is being filled wait; its leader obeys within a moment,
// and keeps the build. Resume has it go on.
func Pause(ctx context.Context, pool *pgxpool.Pool, build int64) error {
	return wish(ctx, pool, build, `wanted = 'pause'`)
}

// Resume is the opposite of Pause.
func Resume(ctx context.Context, pool *pgxpool.Pool, build int64) error {
	return wish(ctx, pool, build, `wanted = 'run'`)
}

// Throttle bounds how many events of the log a second a build is filled with;
// with 0, nothing does. Tables that go live are throttled no more.
func Throttle(ctx context.Context, pool *pgxpool.Pool, build int64, perSecond int) error {
	if perSecond < 0 {
		return fmt.Errorf("runner: a throttle of %d events a second", perSecond)
	}
	return wish(ctx, pool, build, `throttle = nullif($2::integer, 0)`, perSecond)
}

// wish writes down what the leader of the build is to do.
func wish(ctx context.Context, pool *pgxpool.Pool, build int64, what string, args ...any) error {
	tag, err := pool.Exec(ctx, `UPDATE runner.builds SET `+what+` WHERE id = $1 AND state = 'building'`,
		append([]any{build}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNoReplay
	}
	if err != nil {
		return fmt.Errorf("runner: build %d: %w", build, err)
	}
	return nil
}

// Cancel ends the filling of a build and drops its tables. One that was live
// before, and is being brought up to date for a roll-back, is kept.
func Cancel(ctx context.Context, pool *pgxpool.Pool, build int64) error {
	var projection string
	err := pool.QueryRow(ctx, `
		UPDATE runner.builds SET state = 'retired', edition = edition + 1, cutover_asked = NULL, note = ''
		WHERE id = $1 AND state = 'building' RETURNING projection`, build).Scan(&projection)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoReplay
	}
	if err == nil {
		err = interrupt(ctx, pool, build)
	}
	if err == nil {
		err = sweep(ctx, pool, projection)
	}
	if err != nil {
		return fmt.Errorf("runner: cancelling build %d: %w", build, err)
	}
	return nil
}

// interrupt ends the session of the build's leader, who may be in a transaction
// that takes long, such as the making of indexes.
func interrupt(ctx context.Context, pool *pgxpool.Pool, build int64) error {
	_, err := pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE `+ledBy("$2::bigint"), lockSpace, build)
	return err
}

// ledBy is the condition on pg_locks that a session leads the build. Its first
// argument is the space of the locks.
func ledBy(build string) string {
	return `locktype = 'advisory' AND classid = $1::bigint::oid AND objid = (` + build + `)::oid AND objsubid = 2 AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
}

// sweep drops what was cancelled, or was only a part: retired builds that were
// never live. Whoever ended them may have been interrupted.
func sweep(ctx context.Context, pool *pgxpool.Pool, projection string) error {
	return dropBuilds(ctx, pool, `
		SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'retired' AND live_at IS NULL`, projection)
}

// dropLimit is how long to wait for whoever is still writing.
const dropLimit = 30 * time.Second

// beginner is a pool or a connection.
type beginner interface {
	querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

// dropBuilds drops the builds whose schemas the query selects, each by itself.
func dropBuilds(ctx context.Context, db beginner, query string, args ...any) error {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			// The tables first, then the row: whoever still writes takes them in
			// that order, too.
			return execute(ctx, tx,
				fmt.Sprintf("SET LOCAL lock_timeout = %d", dropLimit.Milliseconds()),
				fmt.Sprintf("SET LOCAL statement_timeout = %d", dropLimit.Milliseconds()),
				"DROP SCHEMA IF EXISTS "+ident(schema)+" CASCADE",
				"DELETE FROM runner.builds WHERE schema = "+literal(schema))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
