package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/internal/database"
	"portal.example/internal/wait"
)

const (
	// standByEvery is how often an instance that does not lead tries to, and so
	// about how long a build is without a leader after one was killed.
	standByEvery = time.Second

	// cutOffAfter is when Postgres ends the session, and with it the lock, of a
	// leader that has gone silent; a living one speaks four times a second.
	cutOffAfter = 5 * time.Second

	// slowest bounds a transaction.
	slowest = 2 * time.Minute

	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// lockSpace keeps the locks of builds apart from other advisory locks.
const lockSpace = 0x706f7274

// worker follows one build for as long as it is in use: as its leader, or
// standing by to become it.
type worker struct {
	runner *Runner
	build  build
	log    *slog.Logger

	limit int // of events in a batch: halved by a failure, doubled by a success
	stuck int // attempts that failed with ErrStuck, one after the other
}

func newWorker(r *Runner, b build) *worker {
	return &worker{
		runner: r, build: b, limit: largestBatch,
		log: r.cfg.Logger.With("projection", b.projection.Name(), "version", b.projection.Version(), "build", b.id),
	}
}

// run returns nil when ctx ends or the build is retired. Only an error that
// waiting cannot mend is returned; after any other the worker begins again from
// the checkpoint.
func (w *worker) run(ctx context.Context) error {
	pause := firstPause
	for {
		began := time.Now()
		err := w.session(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, errGone):
			return nil //nolint:nilerr // stopping as asked is no failure
		case errors.Is(err, ErrOtherLog):
			return fmt.Errorf("runner: projection %s: %w", w.build.projection.Name(), err)
		case errors.Is(err, ErrStuck):
			if w.stuck++; w.stuck >= maxStuck && w.putAside(ctx, err) == nil {
				return nil
			}
			w.limit = min(w.limit, firstBatch) / 2
		}
		if time.Since(began) > 2*longestPause {
			pause = firstPause
		}
		if errors.Is(err, errFenced) {
			w.log.InfoContext(ctx, "beginning again from the checkpoint, which another one has moved")
		} else {
			w.limit = max(1, w.limit/2)
			w.log.WarnContext(ctx, "projection interrupted", "error", err, "pause", pause)
			w.noteInterruption(ctx, err)
		}
		if !wait.For(ctx, pause) {
			return nil
		}
		pause = min(2*pause, longestPause)
	}
}

// noteInterruption lets those who watch a build being filled know. That Postgres is
// away is not worth an error of its own.
func (w *worker) noteInterruption(ctx context.Context, failure error) {
	ctx, cancel := context.WithTimeout(ctx, cutOffAfter)
	defer cancel()
	text := []rune(failure.Error())
	if _, err := w.runner.cfg.Pool.Exec(ctx, `UPDATE runner.builds SET note = $2 WHERE id = $1 AND state = 'building'`,
		w.build.id, "interrupted, and tried again: "+string(text[:min(len(text), maxErrorText)])); err != nil {
		w.log.DebugContext(ctx, "the interruption could not be noted", "error", err)
	}
}

// session stands by and then leads, over one connection: what it writes and the
// lock that lets it write are lost together.
func (w *worker) session(ctx context.Context) error {
	conn, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		// ctx may be over, and Postgres deserves a farewell: it frees the lock.
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bye)
	}()
	if err := w.standBy(ctx, conn); err != nil {
		return err
	}
	l := &leader{worker: w, conn: conn}
	return l.lead(ctx)
}

func (w *worker) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := database.Watched(ctx, w.runner.cfg.Pool, "portal "+w.build.schema, cutOffAfter)
	if err != nil {
		return nil, err
	}
	// Commits need not wait for the disk: rows and checkpoint are lost together,
	// and come again from the log. What has to be written is written as it comes:
	// hundreds of megabytes at once hold up whoever syncs the same disk, such as
	// the log.
	_, err = conn.Exec(ctx, fmt.Sprintf(`SET search_path = %s; SET synchronous_commit = off; SET backend_flush_after = '512kB'`,
		ident(w.build.schema)))
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// standBy returns when this instance has become the leader. It asks again and
// again, since a statement that waited for the lock would keep Postgres from
// cleaning up.
func (w *worker) standBy(ctx context.Context, conn *pgx.Conn) error {
	for {
		locked, err := w.tryLock(ctx, conn)
		if err != nil || locked {
			return err
		}
		if err := w.endHanging(ctx, conn); err != nil {
			return err
		}
		if !wait.For(ctx, standByEvery) {
			return ctx.Err()
		}
	}
}

func (w *worker) tryLock(ctx context.Context, conn *pgx.Conn) (locked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cutOffAfter)
	defer cancel()
	var inUse bool
	err = conn.QueryRow(ctx, `
		SELECT pg_try_advisory_lock($1, $2::int),
		       EXISTS (SELECT FROM runner.builds WHERE id = $2 AND state <> 'retired' AND put_aside IS NULL)`,
		lockSpace, w.build.id).Scan(&locked, &inUse)
	if err == nil && !inUse {
		return false, errGone
	}
	return locked, err
}

// endHanging ends the session of a leader that has begun a COPY and gives nothing. No
// limit of Postgres's counts then, and neither does a cancel: a process that hangs
// there would keep its lock for good.
func (w *worker) endHanging(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, cutOffAfter)
	defer cancel()
	var pids []int32
	if err := conn.QueryRow(ctx, `
		SELECT array_agg(pid) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE `+ledBy("$2::bigint")+`
		  AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - make_interval(secs => $3)`,
		lockSpace, w.build.id, 2*cutOffAfter.Seconds()).Scan(&pids); err != nil {
		return err
	}
	if len(pids) > 0 {
		w.log.WarnContext(ctx, "ended the session of a leader that hangs", "pids", pids)
	}
	return nil
}
