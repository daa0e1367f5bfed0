package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"portal.example/internal/wait"
)

// Rebuild fills new tables for the projection from the start of the log, beside
// the live ones, and has requests read them once they have caught up. It returns
// then. Run need not be running, here or elsewhere. When ctx ends first, the
// tables stay, and whoever runs the projection finishes them.
func (r *Runner) Rebuild(ctx context.Context, projection string) error {
	p, err := r.projection(projection)
	if err != nil {
		return err
	}
	b, err := makeBuild(ctx, r.cfg.Pool, p, true)
	if err != nil {
		return fmt.Errorf("runner: rebuilding %s: %w", projection, err)
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	group, working := errgroup.WithContext(working)
	if r.running.Load() {
		r.lookAround() // Run sees to it, and goes on afterwards
	} else {
		r.startWorker(working, group, b)
	}
	group.Go(func() error {
		defer stop()
		return r.waitUntilLive(working, b)
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("runner: rebuilding %s: %w", projection, err)
	}
	return ctx.Err()
}

const lookForLiveEvery = 20 * time.Millisecond

func (r *Runner) waitUntilLive(ctx context.Context, b build) error {
	for {
		var isLive bool
		err := r.cfg.Pool.QueryRow(ctx, `SELECT state = 'live' FROM runner.builds WHERE id = $1 AND state <> 'retired'`,
			b.id).Scan(&isLive)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // stopping as asked is no failure
		case errors.Is(err, pgx.ErrNoRows):
			return errGone
		case err == nil && isLive:
			return nil
		}
		if !wait.For(ctx, lookForLiveEvery) {
			return nil
		}
	}
}

// swapLimit is short, so that readers that stand in the way of the views are
// not held up themselves; the next attempt comes soon.
const swapLimit = 250 * time.Millisecond

// tolerableLag is how far a build may be behind when it goes live.
const tolerableLag = 2 * time.Second

var errNotThereYet = errors.New("the live build is further")

// cutOver makes a build that has caught up the one that requests read, unless
// the live one is further: what a reader has seen does not go away again.
func (l *leader) cutOver(ctx context.Context) error {
	if !l.indexed {
		began := time.Now()
		if err := l.makeIndexes(ctx); err != nil {
			return err
		}
		l.indexed = true
		if time.Since(began) > tolerableLag {
			return nil // what has come meanwhile is applied first
		}
	}
	if l.at != l.stored {
		if err := l.write(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error { return l.swap(ctx, tx) })
	switch {
	case errors.Is(err, errNotThereYet), isCode(err, "55P03"): // lock_not_available
		return nil
	case err != nil:
		return err
	}
	l.live = true
	l.log.InfoContext(ctx, "rebuilt tables are live", "schema", l.build.schema, "position", l.at.position)
	l.arrive(l.at)
	return l.dropOld(ctx)
}

func (l *leader) swap(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, swapLimit.Milliseconds())); err != nil {
		return err
	}
	// From here on the live build cannot move.
	var further, newer bool
	err := tx.QueryRow(ctx, `
		SELECT (commit_position, prepare_position) > ($2, $3), version > $4 FROM runner.builds
		WHERE projection = $1 AND state = 'live' FOR UPDATE`,
		l.build.projection.Name(), l.at.position.Commit, l.at.position.Prepare, l.build.projection.Version()).
		Scan(&further, &newer)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // its tables were dropped
	case err != nil:
		return err
	case newer:
		return errNewerIsLive
	case further:
		return errNotThereYet
	}
	if _, err := tx.Exec(ctx, `
		UPDATE runner.builds SET state = 'retired' WHERE projection = $1 AND state = 'live'`,
		l.build.projection.Name()); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE runner.builds SET state = 'live', live_at = now() WHERE id = $1 AND state = 'building'`, l.build.id)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return errFenced
	}
	return l.build.expose(ctx, tx)
}

func isCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}

// dropOld keeps the build that was live before, to go back to, and drops the
// ones before that, and those of older versions that nobody will finish.
func (l *leader) dropOld(ctx context.Context) error {
	rows, err := l.conn.Query(ctx, `
		(SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'retired'
		 ORDER BY live_at DESC NULLS LAST OFFSET 1)
		UNION ALL
		SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'building' AND version < $2`,
		l.build.projection.Name(), l.build.projection.Version())
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
			return execute(ctx, tx,
				"DROP SCHEMA IF EXISTS "+ident(schema)+" CASCADE",
				"DELETE FROM runner.builds WHERE schema = "+literal(schema))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
