package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/eventstore"
	"portal.example/internal/database"
	"portal.example/internal/wait"
)

// swapLimit is short, so that readers that stand in the way of the views are
// not held up themselves; the next attempt comes soon.
const swapLimit = 250 * time.Millisecond

// tolerableLag is how far a build may be behind when it goes live.
const tolerableLag = 2 * time.Second

const (
	lockNotAvailable = "55P03"

	indexesWait = "the indexes wait for somebody who holds the tables, such as a vacuum"
)

var (
	errNotThereYet = errors.New("the live tables are further; they are caught up with first")
	errLooks       = errors.New("requests that began before are waited for")
)

// settle deals with a build that has nothing left to apply for the moment. It makes
// the indexes and, where that is asked for, what was filled takes its place.
func (l *leader) settle(ctx context.Context) error {
	if l.live || !l.at.caughtUp && !l.at.complete {
		return nil
	}
	if !l.indexed {
		began := time.Now()
		if l.note != indexesWait { // whoever looks would hardly see it between two attempts
			l.note = "the indexes are being made"
		}
		if err := l.tell(ctx); err != nil {
			return err
		}
		err := l.makeIndexes(ctx)
		if isCode(err, lockNotAvailable) {
			l.note = indexesWait
			return nil
		}
		if err != nil {
			return err
		}
		l.note, l.indexed = "", true
		if time.Since(began) > tolerableLag {
			return nil // what has come meanwhile is applied first
		}
	}
	if !l.wishes.cutOver() || l.wishes.pause {
		return nil
	}
	if l.build.scope.whole() {
		return l.cutOver(ctx)
	}
	return l.merge(ctx)
}

// cutOver makes a build that has caught up the one that requests read. What a
// reader has seen does not go away again.
func (l *leader) cutOver(ctx context.Context) error {
	err := l.hold(ctx, l.swap)
	if l.again(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l.live, l.wishes, l.note = true, wishes{}, ""
	l.runner.metrics.filled(l.build)
	l.log.InfoContext(ctx, "rebuilt tables are live", "schema", l.build.schema, "position", l.at.position)
	l.arrive(l.at)
	if err := l.dropOld(ctx); err != nil {
		return err
	}
	return analyze(ctx, l.conn, l.build.schema)
}

// again tells whether the cut-over is to be tried again, and remembers why.
func (l *leader) again(err error) bool {
	switch {
	case errors.Is(err, errNotThereYet), errors.Is(err, errLooks):
		l.note = err.Error()
	case isCode(err, lockNotAvailable):
		l.note = "somebody reads or writes the live tables in a long transaction"
	default:
		return false
	}
	return true
}

// held is the live build, which cannot move until the transaction is over. Without
// an id there is none: its tables were dropped.
type held struct {
	build
	version  int
	position eventstore.Position
}

// hold keeps the live build where it is for a moment, lets this one catch up with
// it, and has do put this one's rows in its place, in the transaction that holds
// it. That is one of another connection, because what this build applies meanwhile
// is committed before: see awaitLooks.
func (l *leader) hold(ctx context.Context, do func(context.Context, pgx.Tx, held) error) error {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	return pgx.BeginFunc(ctx, l.runner.cfg.Pool, func(tx pgx.Tx) error {
		if err := execute(ctx, tx,
			fmt.Sprintf(`SET LOCAL lock_timeout = %d`, swapLimit.Milliseconds()),
			fmt.Sprintf(`SET LOCAL statement_timeout = %d`, slowest.Milliseconds())); err != nil {
			return err
		}
		live := held{build: build{projection: l.build.projection}}
		err := tx.QueryRow(ctx, `
			SELECT id, schema, version, commit_position, prepare_position FROM runner.builds
			WHERE projection = $1 AND state = 'live' FOR UPDATE`, l.build.projection.Name()).
			Scan(&live.id, &live.schema, &live.version, &live.position.Commit, &live.position.Prepare)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err := l.reach(ctx, live.position); err != nil {
			return err
		}
		return do(ctx, tx, live)
	})
}

// reach applies what leads up to a position.
func (l *leader) reach(ctx context.Context, position eventstore.Position) error {
	patience := time.NewTimer(swapLimit)
	defer patience.Stop()
	for l.at.position.Compare(position) < 0 {
		if l.feed == nil {
			return errNotThereYet
		}
		select {
		case b, more := <-l.feed.batches:
			if !more {
				return l.fed()
			}
			if err := l.absorb(ctx, b); err != nil {
				return err
			}
		case <-patience.C:
			return errNotThereYet
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if l.at != l.stored {
		return l.write(ctx)
	}
	return nil
}

// awaitLooks waits until every look of a reader that has begun by now is over. A
// look sees the rows of the moment when it began, but is led by the views of the
// moment when it asks: it must not be led to tables whose last rows it cannot see.
func (l *leader) awaitLooks(ctx context.Context) error {
	var now time.Time
	if err := l.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return err
	}
	for deadline := time.Now().Add(swapLimit); time.Now().Before(deadline); {
		var looks bool
		if err := l.conn.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = $1 AND xact_start <= $2)`,
			database.ReaderName, now).Scan(&looks); err != nil || !looks {
			return err
		}
		if !wait.For(ctx, time.Millisecond) {
			return ctx.Err()
		}
	}
	return errLooks
}

func (l *leader) swap(ctx context.Context, tx pgx.Tx, live held) error {
	if live.version > l.build.projection.Version() && !l.wishes.asked {
		return errNewerIsLive
	}
	if err := l.awaitLooks(ctx); err != nil {
		return err
	}
	return l.build.replaceLive(ctx, tx, live.version, building)
}

// replaceLive puts the build, which is in that state, in the place of the live one,
// which has that version. Whoever led that one is fenced off: it may be wanted
// again before they notice.
func (b build) replaceLive(ctx context.Context, tx pgx.Tx, version int, from state) error {
	if _, err := tx.Exec(ctx, `
		UPDATE runner.builds SET state = 'retired', edition = edition + 1, held_back = NULL, caught_up = false
		WHERE projection = $1 AND state = 'live'`, b.projection.Name()); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE runner.builds
		SET state = 'live', live_at = clock_timestamp(), cutover_asked = NULL, throttle = NULL, note = '',
		    held_back = CASE WHEN version < $2 THEN $2 END
		WHERE id = $1 AND state = $3`, b.id, version, string(from))
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return errFenced
	}
	return b.expose(ctx, tx)
}

func isCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}

// dropOld keeps the build that was live before, to go back to, and drops the
// ones before that, and those of older versions that nobody will finish.
func (l *leader) dropOld(ctx context.Context) error {
	return dropBuilds(ctx, l.conn, `
		(SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'retired'
		 ORDER BY live_at DESC NULLS LAST OFFSET 1)
		UNION ALL
		SELECT schema FROM runner.builds
		WHERE projection = $1 AND state = 'building' AND version < $2 AND purpose <> 'temporary' AND live_at IS NULL`,
		l.build.projection.Name(), l.build.projection.Version())
}
