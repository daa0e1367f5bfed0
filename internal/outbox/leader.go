package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/internal/bookmark"
	"portal.example/internal/database"
	"portal.example/internal/wait"
)

// batch is how many notices are fetched at once. They wait in memory meanwhile.
const batch = 256

// leader delivers events for as long as its session with Postgres lasts, whose
// lock lets it lead. It is one goroutine.
type leader struct {
	*Outbox
	conn *pgx.Conn
	mark *bookmark.Bookmark

	at     bookmark.Place // up to where all is done
	stored bookmark.Place // the same in Postgres; behind where there was nothing to deliver
	proved time.Time      // when Postgres was last known to hold the lock for this leader

	life context.Context //nolint:containedctx // of a delivery: ends a moment after the outbox is stopped
}

// session stands by and then leads, over one connection: the right to lead and
// the bookmark are lost together.
func (o *Outbox) session(ctx context.Context) error {
	conn, err := database.Watched(ctx, o.Pool, "portal outbox "+o.Name, cutOffAfter)
	if err != nil {
		return err
	}
	defer func() {
		// ctx may be over, and Postgres deserves a farewell: it frees the lock.
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bye)
	}()
	// Commits need not wait for the disk: what Postgres forgets in a crash is
	// delivered again.
	if _, err := conn.Exec(ctx, `SET synchronous_commit = off`); err != nil {
		return err
	}
	if err := o.standBy(ctx, conn); err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })()
	l := &leader{
		Outbox: o, conn: conn, proved: time.Now(), life: life,
		mark: &bookmark.Bookmark{DB: conn, Follower: "outbox." + o.Name},
	}
	return l.lead(ctx)
}

// standBy returns when this instance has become the leader. It asks again and
// again, since a statement that waited for the lock would keep Postgres from
// cleaning up.
func (o *Outbox) standBy(ctx context.Context, conn *pgx.Conn) error {
	for {
		var locked bool
		err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('portal/outbox/' || $1, 0))`, o.Name).Scan(&locked)
		if err != nil || locked {
			return err
		}
		if !wait.For(ctx, standByEvery) {
			return ctx.Err()
		}
	}
}

// lead delivers what the log has and what it gets.
func (l *leader) lead(ctx context.Context) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	l.Logger.InfoContext(ctx, "leading the outbox", "position", l.at.Position)
	l.metrics.leader.Set(1)
	defer l.metrics.leader.Set(0)
	source := l.subscribe(ctx, l.at.Position)
	defer source.Close()
	for {
		notices, err := l.next(ctx, source)
		if err != nil {
			return err
		}
		for i := range notices {
			if err := l.take(ctx, &notices[i]); err != nil {
				return err
			}
		}
		if err := l.store(ctx); err != nil {
			return err
		}
		if err := l.prove(ctx); err != nil {
			return err
		}
	}
}

// open finds the place to go on from and makes sure that it is in this log. An
// outbox that is new begins at the end.
func (l *leader) open(ctx context.Context) error {
	place, known, err := l.mark.Load(ctx)
	if err != nil {
		return err
	}
	var failure error
	l.stored = place
	if err := l.guarded(ctx, func(ctx context.Context) {
		if known {
			place, failure = place.Verify(ctx, l.Client)
		} else {
			place, failure = bookmark.End(ctx, l.Client)
		}
	}); err != nil {
		return err
	}
	if failure == nil && !known {
		failure = l.mark.Begin(ctx, place)
		l.stored = place
	}
	l.at = place
	return failure
}

// next waits a moment for notices; none is no failure.
func (l *leader) next(ctx context.Context, source eventstore.Source) ([]eventstore.Notice, error) {
	moment, cancel := context.WithTimeout(ctx, proveEvery)
	defer cancel()
	notices, err := source.NextBatch(moment, batch)
	if err != nil && moment.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return notices, err
}

// take deals with a notice: where it brings an event, that has been delivered and
// the bookmark is behind it, or there was nothing to deliver.
func (l *leader) take(ctx context.Context, n *eventstore.Notice) error {
	switch n.Kind {
	case eventstore.EventAppeared:
		deliver, err := l.wants(&n.Event)
		if err != nil {
			l.Logger.WarnContext(ctx, "an event without readable metadata counts as live", "event", n.Event.ID, "error", err)
		}
		if deliver {
			if err := l.deliver(ctx, n.Event); err != nil {
				return err
			}
		}
		l.at = l.at.At(&n.Event)
		if deliver {
			return l.store(ctx)
		}
	case eventstore.CheckpointReached:
		l.at.Position = n.Position
	case eventstore.CaughtUp, eventstore.FellBehind:
	}
	return nil
}

// store moves the bookmark to where the leader is, also when it has been told to
// stop meanwhile.
func (l *leader) store(ctx context.Context) error {
	if l.at == l.stored {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	if l.at.Log == (bookmark.Place{}).Log { // the log was empty
		id, err := bookmark.LogID(ctx, l.Client)
		if err != nil {
			return err
		}
		l.at.Log = id
	}
	if err := l.mark.Move(ctx, l.stored, l.at); err != nil {
		return err
	}
	l.stored, l.proved = l.at, time.Now()
	return nil
}

// prove makes sure that Postgres still holds the lock for this leader, where it
// is a while since that was known.
func (l *leader) prove(ctx context.Context) error {
	if time.Since(l.proved) < proveEvery/2 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	if err := l.conn.Ping(ctx); err != nil {
		return errors.Join(errSessionLost, err)
	}
	l.proved = time.Now()
	return nil
}

var errSessionLost = errors.New("the session with Postgres is lost")

// guarded does something that takes its time, and keeps the session alive
// meanwhile. Where that is lost, the context of what is done ends.
func (l *leader) guarded(ctx context.Context, do func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	tick := time.NewTicker(proveEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-tick.C:
			if err := l.prove(ctx); err != nil {
				cancel()
				<-done
				return fmt.Errorf("while it was at work: %w", err)
			}
		}
	}
}
