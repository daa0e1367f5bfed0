package runner

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

const (
	// tickEvery is how often a leader that has nothing to do looks around. It
	// writes down then how far it is.
	tickEvery = 250 * time.Millisecond

	// freshEvery is how often a leader without events makes sure that there are
	// none, so that readers can be told up to when their answer is complete.
	freshEvery = time.Second

	tickLimit = 5 * time.Second
)

// leader applies the log to a build. It is one goroutine.
type leader struct {
	*worker
	conn *pgx.Conn

	stored  checkpoint      // in Postgres
	at      checkpoint      // where the build is; beyond stored when only unwanted events came
	held    map[string]bool // quarantined streams
	skips   skips           // events to go on without
	live    bool
	indexed bool      // no index waits to be made
	fresh   time.Time // when it was last known that nothing is missing

	feed *feed // nil while nothing is to be read
	halt func()

	// Of a build that is being filled.
	wishes wishes
	pace   pace
	told   *told // what Postgres has; nil while that is not known
	note   string
}

// lead applies what the log has and what it gets, until something is lost:
// Postgres, the leadership, the build.
func (l *leader) lead(ctx context.Context) error {
	if err := l.prepare(ctx); err != nil {
		return err
	}
	l.log.InfoContext(ctx, "leading the projection", "position", l.at.position, "live", l.live, "quarantined", len(l.held))
	if l.live {
		l.runner.track(l.build.projection.Name()).restart(l.at.position)
	}
	l.runner.leading(l.build.id, true)
	defer func() {
		l.runner.leading(l.build.id, false)
		l.runner.metrics.left(l.build)
	}()

	defer l.stopReading()
	return l.follow(ctx)
}

// prepare reads where the build is, and makes sure that this is the log which
// got it there.
func (l *leader) prepare(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	var s state
	if l.stored, s, err = loadCheckpoint(ctx, l.conn, l.build.id); err != nil {
		return err
	}
	l.live = s == live
	if l.held, err = askForRetries(ctx, l.conn, l.build.id); err != nil {
		return err
	}
	if l.skips, err = loadSkips(ctx, l.conn, l.build.projection); err != nil {
		return err
	}
	l.at, err = l.verify(ctx)
	l.at.caughtUp = false
	return err
}

// verify keeps the session alive meanwhile: the log may be slow to answer.
func (l *leader) verify(ctx context.Context) (checkpoint, error) {
	type answer struct {
		at  checkpoint
		err error
	}
	done := make(chan answer, 1)
	go func() {
		at, err := l.stored.verify(ctx, l.runner.cfg.Client)
		done <- answer{at, err}
	}()
	tick := time.NewTicker(standByEvery)
	defer tick.Stop()
	for {
		select {
		case a := <-done:
			return a.at, a.err
		case <-tick.C:
			if err := l.conn.Ping(ctx); err != nil {
				return l.stored, err
			}
		}
	}
}

func (l *leader) follow(ctx context.Context) error {
	if err := l.hear(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		l.read(ctx)
		if err := l.step(ctx, tick.C); err != nil {
			return err
		}
	}
}

// step deals with what comes next. A tick goes before a batch, for with a history
// ahead there is always a batch.
func (l *leader) step(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-tick:
		return l.tick(ctx)
	default:
	}
	var batches chan batch
	if l.feed != nil {
		batches = l.feed.batches
	}
	select {
	case b, more := <-batches:
		if !more {
			return l.fed()
		}
		return l.take(ctx, b)
	case <-tick:
		return l.tick(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *leader) take(ctx context.Context, b batch) error {
	if err := l.courtesy().work(ctx, func() error { return l.absorb(ctx, b) }); err != nil {
		return err
	}
	return l.settle(ctx)
}

// courtesy is what the build owes to requests: those wait for tables that are live,
// and for temporary ones.
func (l *leader) courtesy() *courtesy {
	if l.live || l.build.purpose == temporary {
		return nil
	}
	return l.runner.courtesy
}

// absorb applies a batch. When there is nothing in it for this projection, the
// place is only remembered, and written down with the next tick.
func (l *leader) absorb(ctx context.Context, b batch) error {
	next := l.at
	next.caughtUp, next.complete = b.caughtUp && !b.complete, b.complete
	if b.position.Compare(next.position) > 0 {
		next.position = b.position
	}
	if b.last != nil {
		next.event = b.last
		next.asOf = later(next.asOf, l.build.scope.within(b.created))
	}
	if err := next.identify(ctx, l.runner.cfg.Client); err != nil {
		return err
	}
	if b.complete {
		next.asOf = l.build.scope.Until
	}
	if n := len(b.events); n > 0 {
		next.events += int64(n)
		next.lastEvent = b.events[n-1].Record.Position.Commit
		if err := l.apply(ctx, b.events, next); err != nil {
			return err
		}
		l.stored = next
		l.limit, l.stuck = min(2*l.limit, largestBatch), 0
	}
	l.arrive(next)
	return nil
}

// arrive makes known how far the build is.
func (l *leader) arrive(at checkpoint) {
	l.at = at
	now := time.Now()
	l.runner.metrics.at(l.build, at, len(l.held), now)
	if l.live {
		l.runner.arrived(l.build.projection.Name(), at.position)
		return
	}
	l.pace.note(now, at)
}

func (l *leader) tick(ctx context.Context) error {
	if err := l.lookAround(ctx); err != nil {
		return err
	}
	return l.settle(ctx)
}

func (l *leader) lookAround(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tickLimit)
	defer cancel()
	if err := l.hear(ctx); err != nil {
		return err
	}
	streams, err := l.streamsToRetry(ctx)
	if err != nil {
		return err
	}
	for _, stream := range streams {
		if err := l.retry(ctx, stream); err != nil {
			return err
		}
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if l.at != l.stored {
		if err := l.write(ctx); err != nil {
			return err
		}
	}
	l.arrive(l.at)
	return l.tell(ctx)
}

// refresh finds out whether the tables are complete up to now: whether the log
// has nothing beyond their position but the system's own events. A subscription
// that is silent does not say so, it may have lost its connection.
func (l *leader) refresh(ctx context.Context) error {
	now := time.Now()
	if !l.at.caughtUp || now.Sub(l.fresh) < freshEvery || now.Sub(l.at.asOf) < freshEvery {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, freshEvery)
	defer cancel()
	end := l.at.position
	for e, err := range l.runner.cfg.Client.ReadAll(ctx, end) {
		if err != nil || !system(e) {
			return nil // an absent log is waited for by the feed; here it only means that nothing is known
		}
		end = e.Position
	}
	l.fresh = now
	l.at.position, l.at.asOf = end, later(l.at.asOf, now)
	return l.at.identify(ctx, l.runner.cfg.Client)
}

func system(e eventstore.Recorded) bool { return len(e.Type) > 0 && e.Type[0] == '$' }

// write stores the checkpoint alone.
func (l *leader) write(ctx context.Context) error {
	err := l.at.store(ctx, l.conn, l.build.id, l.stored)
	if err == nil {
		l.stored = l.at
	}
	return err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
