package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrCrowded says that as many temporary tables are in use as there may be. Some
// are free within a minute after nobody asks for them any more.
var ErrCrowded = errors.New("too many moments are asked for at once")

const (
	// mostShared is how many read models as of a moment a database keeps, and
	// mostOfBusiness how many of them for one business: each costs a connection
	// and the room of its rows.
	mostShared     = 12
	mostOfBusiness = 6

	// unusedFor is how long one is kept that nobody asks for, and undisturbedFor
	// how long it is not dropped in favour of another: whoever waits for it asks
	// more often than that.
	unusedFor      = time.Hour
	undisturbedFor = time.Minute

	// outOfTheWay bounds the wait for those who still read what is to be dropped.
	outOfTheWay = time.Second
)

// AsOf is a temporary build of the projection with one business's events until a
// moment: scope has Business and Until, and Occurred or not. Whoever asks for the
// same shares it. It is filled by whoever runs the projection, and can be read, in
// its schema, once it is ready. An hour after it was last asked for it is dropped,
// or sooner to make room for others. ErrCrowded where there is no room.
func (r *Runner) AsOf(ctx context.Context, projection string, scope Scope) (Status, error) {
	p, err := r.projection(ctx, projection)
	if err != nil {
		return Status{}, err
	}
	scope.Until = scope.Until.UTC().Truncate(time.Microsecond) // as the row's JSON is compared
	if scope.Business == "" || scope.Until.IsZero() {
		return Status{}, fmt.Errorf("runner: %s as of a moment: %w: no business or no moment", projection, errWrongScope)
	}
	b, err := shared(ctx, r.cfg.Pool, p, scope)
	if err == nil && b.id == 0 {
		b, err = makeBuild(ctx, r.cfg.Pool, p, &Options{Scope: scope, Temporary: true, shared: true})
		r.lookAround()
	}
	if errors.Is(err, errNewerIsLive) {
		err = errors.Join(ErrNothingLive, err) // nothing that this program could read
	}
	if err != nil {
		return Status{}, fmt.Errorf("runner: %s as of %s: %w", projection, scope.Until.Format(time.RFC3339), err)
	}
	return r.Look(ctx, b.id)
}

// shared finds the build of this scope, and notes that it is in use; without an id
// there is none.
func shared(ctx context.Context, db querier, p Projection, scope Scope) (build, error) {
	b := build{projection: p, purpose: temporary, scope: &scope}
	err := db.QueryRow(ctx, `
		UPDATE runner.builds SET used_at = now()
		WHERE projection = $1 AND version = $2 AND state = 'building' AND used_at IS NOT NULL AND scope = $3
		  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
		RETURNING id, schema`, p.Name(), p.Version(), &scope).Scan(&b.id, &b.schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return build{}, nil
	}
	return b, err
}

// use is a shared build as far as it matters for who makes room.
type use struct {
	ID       int64
	Business string
	Idle     time.Duration // since somebody asked for it
}

// makeRoom retires a build where another one would be too many. Whoever makes one
// holds the lock until it is there.
func makeRoom(ctx context.Context, tx pgx.Tx, business string) error {
	if err := execute(ctx, tx, `SELECT pg_advisory_xact_lock(hashtextextended('portal/as-of', 0))`); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		SELECT id, scope->>'business', greatest(now() - used_at, '0') FROM runner.builds
		WHERE used_at IS NOT NULL AND state = 'building'`)
	if err != nil {
		return err
	}
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByPos[use])
	if err != nil {
		return err
	}
	goes, err := whoGoes(uses, business)
	if err != nil || goes == 0 {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE runner.builds SET state = 'retired', edition = edition + 1, note = '' WHERE id = $1`, goes)
	return err
}

// whoGoes is the build that makes room for another one of the business: the
// longest unused, of the business itself where that has its share. It is 0 where
// there is room.
func whoGoes(uses []use, business string) (int64, error) {
	own := slices.DeleteFunc(slices.Clone(uses), func(u use) bool { return u.Business != business })
	switch {
	case len(own) >= mostOfBusiness:
		uses = own
	case len(uses) < mostShared:
		return 0, nil
	}
	longest := slices.MaxFunc(uses, func(a, b use) int { return cmp.Compare(a.Idle, b.Idle) })
	if longest.Idle < undisturbedFor {
		return 0, ErrCrowded
	}
	return longest.ID, nil
}

// dropUnused retires shared builds that nobody uses any more, and drops the tables
// of one that is retired: another instance may be at it, too.
func (r *Runner) dropUnused(ctx context.Context) error {
	if _, err := r.cfg.Pool.Exec(ctx, `
		UPDATE runner.builds SET state = 'retired', edition = edition + 1, note = ''
		WHERE state = 'building' AND used_at < now() - make_interval(secs => $1)`, unusedFor.Seconds()); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		var schema string
		err := tx.QueryRow(ctx, `
			SELECT schema FROM runner.builds
			WHERE state = 'retired' AND used_at IS NOT NULL
			  AND pg_try_advisory_xact_lock(hashtextextended('portal/drop unused', 0))
			LIMIT 1`).Scan(&schema)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return execute(ctx, tx,
			fmt.Sprintf("SET LOCAL lock_timeout = %d", outOfTheWay.Milliseconds()),
			"DROP SCHEMA IF EXISTS "+ident(schema)+" CASCADE",
			"DELETE FROM runner.builds WHERE schema = "+literal(schema))
	})
}
