package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
)

// load appends readings of 1 to ten meters until stop is called, which returns
// how many there are and the position of the last.
func (w *world) load() (stop func() (int, eventstore.Position)) {
	ctx, cancel := context.WithCancel(w.ctx)
	var (
		count int
		last  eventstore.Position
	)
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			// With its exact place expected, an append that is tried again after
			// the log was away is not appended twice.
			stream, expected := fmt.Sprintf("load-%d", count%10), eventstore.NoStream()
			if count >= 10 {
				expected = eventstore.Exactly(uint64(count/10 - 1))
			}
			position, err := w.tryAppend("acme", stream, expected, Read{1})
			if err != nil {
				done <- err
				return
			}
			last = position
			count++
		}
		done <- nil
	}()
	return func() (int, eventstore.Position) {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Fatal(err)
		}
		return count, last
	}
}

// checkSum makes sure that every reading is there, once.
func (w *world) checkSum(want int) {
	w.t.Helper()
	if got := query[int](w, `SELECT sum(sum) FROM read.m_sum`); got != want {
		w.t.Errorf("sum %d of %d readings", got, want)
	}
	if got := query[int](w, `SELECT count(*) FROM read.m_reading`); got != want {
		w.t.Errorf("%d rows of %d readings", got, want)
	}
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.ctx, statement, args...); err != nil {
		w.t.Fatal(err)
	}
}

func TestOneOfTwoLeadsAndTheOtherTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.runner(&meters{name: "m"}), w.runner(&meters{name: "m"})
	stop := w.run(one)
	w.wait(one, "m", w.append("acme", "meter-0", Read{1}))
	w.run(two)
	stopLoad := w.load()
	w.until("both are there", `SELECT count(*) >= 2 FROM pg_stat_activity
		WHERE application_name = 'portal m_v1' AND datname = current_database()`)
	w.until("under way", `SELECT sum(sum) > 20 FROM read.m_sum`)

	leaders := func() (n int) {
		for _, r := range []*Runner{one, two} {
			for _, s := range must(r.Status(w.ctx))(t) {
				if s.Leading {
					n++
				}
			}
		}
		return n
	}
	if n := leaders(); n != 1 {
		t.Errorf("%d leaders", n)
	}
	stop()
	began := time.Now()
	count, last := stopLoad()
	w.wait(two, "m", last)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("taking over took %s", took)
	}
	w.checkSum(count + 1)
}

// A leader whose session Postgres has ended may be in the middle of a
// transaction. None of it counts, and it begins again from the checkpoint.
func TestALeaderKilledInATransactionLeavesNoRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var kills atomic.Int32
	kill := func(ctx context.Context, tx pgx.Tx, _ []eventstore.Decoded) error {
		if kills.Add(1) > 3 {
			return nil
		}
		_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	}
	late := &meters{name: "m"}
	r := w.runner(killedAfter{late, kill})
	stopLoad := w.load()
	w.run(r)
	w.until("under way after three kills", `SELECT sum(sum) > 20 FROM read.m_sum`)
	count, last := stopLoad()
	w.wait(r, "m", last)
	w.checkSum(count)
	if n := kills.Load(); n < 4 {
		t.Errorf("%d kills", n)
	}
}

// killedAfter does something when all rows have been written, before the commit.
type killedAfter struct {
	Projection
	after func(context.Context, pgx.Tx, []eventstore.Decoded) error
}

func (k killedAfter) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	if err := k.Projection.Apply(ctx, tx, batch); err != nil {
		return err
	}
	return k.after(ctx, tx, batch)
}

// An advisory lock does not fence: a leader that has lost it without knowing
// goes on writing. Here it is stopped in the middle of a transaction while
// another one does the same work.
func TestASecondLeaderIsFenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.append("acme", "meter-1", Read{1})
	r := w.runner(&meters{name: "m"})
	w.wait(r, "m", eventstore.Start())
	b := must(buildsOf(w.ctx, w.pool, r.cfg.Projections[0]))(t)[0]
	lead := func() *leader {
		worker := newWorker(r, b)
		l := &leader{worker: worker, conn: must(worker.connect(w.ctx))(t)}
		t.Cleanup(func() { l.conn.Close(context.Background()) })
		if err := l.prepare(w.ctx); err != nil {
			t.Fatal(err)
		}
		return l
	}
	var recorded []eventstore.Recorded
	for e, err := range w.client.ReadStream(w.ctx, "meter-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		recorded = append(recorded, e)
	}
	next := batch{
		events: must(w.codec.DecodeBatch(w.ctx, recorded))(t), position: first, last: markOf(&recorded[0]), caughtUp: true,
	}
	one, two := lead(), lead()
	if err := one.take(w.ctx, next); err != nil {
		t.Fatal(err)
	}
	// The rows collide as well; a projection that only updates has no key to
	// save it, so the checkpoint must do.
	w.exec(`TRUNCATE m_v1.m_reading, m_v1.m_sum`)
	if err := two.take(w.ctx, next); !errors.Is(err, errFenced) {
		t.Errorf("the second leader's commit: %v", err)
	}
	if got := query[int](w, `SELECT count(*) FROM read.m_reading`); got != 0 {
		t.Errorf("%d rows of a leader that was fenced off", got)
	}
	two.at.position.Commit++
	if err := two.write(w.ctx); !errors.Is(err, errFenced) {
		t.Errorf("the second leader's checkpoint: %v", err)
	}
}

// newLocked is a world whose only build is locked by a session that does nothing.
func newLocked(t *testing.T) (*world, *Runner, *pgx.Conn) {
	t.Helper()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	worker := newWorker(r, must(buildsOf(w.ctx, w.pool, r.cfg.Projections[0]))(t)[0])
	conn := must(worker.connect(w.ctx))(t)
	if locked := must(worker.tryLock(w.ctx, conn))(t); !locked {
		t.Fatal("no lock")
	}
	return w, r, conn
}

// A leader that was cut off, or hangs, is silent: Postgres ends its session.
func TestASilentLeaderLosesItsLock(t *testing.T) {
	t.Parallel()
	w, r, silent := newLocked(t)
	defer silent.Close(w.ctx)
	w.run(r)
	began := time.Now()
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	if took := time.Since(began); took > 3*cutOffAfter {
		t.Errorf("taking over took %s", took)
	}
}

// rowsNever come, until it is let go.
type rowsNever chan struct{}

func (r rowsNever) Read([]byte) (int, error) {
	<-r
	return 0, io.EOF
}

// Nothing that Postgres limits ends a leader that hangs while it copies rows.
func TestALeaderThatHangsInACopyLosesItsLock(t *testing.T) {
	t.Parallel()
	w, r, hanging := newLocked(t)
	rows, ended := make(rowsNever), make(chan error, 1)
	go func() {
		_, err := hanging.PgConn().CopyFrom(w.ctx, rows, "COPY m_sum FROM STDIN")
		ended <- errors.Join(err, hanging.Close(w.ctx))
	}()
	w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
	close(rows)
	if err := <-ended; err == nil {
		t.Error("the COPY came to a good end")
	}
}

func TestPostgresStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Postgres may run as another user, who cannot enter the folder of the test.
	dir := must(os.MkdirTemp("", "portal-runner-test-"))(t)
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "postgres")
	server := must(postgres.Start(ctx, postgres.Options{Dir: dir}))(t)
	port := must(pgx.ParseConfig(server.TCPURL("postgres")))(t).Port
	if err := database.Migrate(ctx, server.TCPURL("postgres")); err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, server.TCPURL("postgres"))
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	r := w.runner(&meters{name: "m"})
	w.run(r)
	stopLoad := w.load()
	for range 2 {
		w.until("under way", `SELECT sum(sum) > 20 FROM read.m_sum`)
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			w.append("acme", "meter-x", Read{0})
		}
		server = must(postgres.Start(ctx, postgres.Options{Dir: dir, Port: int(port)}))(t)
	}
	count, last := stopLoad()
	w.wait(r, "m", last)
	if got := query[int](w, `SELECT sum(sum) FROM read.m_sum`); got != count {
		t.Errorf("sum %d of %d readings", got, count)
	}
	if got := query[int](w, `SELECT count(*) FROM read.m_reading WHERE meter <> 'meter-x'`); got != count {
		t.Errorf("%d rows of %d readings", got, count)
	}
}

func TestTheLogStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m"})
	w.run(r)
	stopLoad := w.load()
	for range 2 {
		w.until("under way", `SELECT sum(sum) > 20 FROM read.m_sum`)
		if err := w.node.Close(); err != nil {
			t.Fatal(err)
		}
		w.until("known not to be complete", `SELECT NOT caught_up FROM runner.builds`)
		w.node = must(node.Start(w.ctx, node.Config{Dir: w.dir, Listen: w.node.Addr(), Insecure: true}))(t)
	}
	count, last := stopLoad()
	w.wait(r, "m", last)
	w.checkSum(count)
	w.until("complete again", `SELECT caught_up FROM runner.builds`)
}

func TestMetricsTellTheLeaderFromTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.runner(&meters{name: "m", poison: func(e Read) error {
		if e.Value == 666 {
			return errors.New("beastly")
		}
		return nil
	}})
	registry := prometheus.NewRegistry()
	r.metrics = newMetrics(registry)
	stop := w.run(r)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}, Read{2}, Read{666}))
	want := `
		# HELP portal_projection_events_total Events applied or held back.
		# TYPE portal_projection_events_total counter
		portal_projection_events_total{build="1",projection="m"} 3
		# HELP portal_projection_quarantined_streams Streams that wait for a retry.
		# TYPE portal_projection_quarantined_streams gauge
		portal_projection_quarantined_streams{build="1",projection="m"} 1
		# HELP portal_projection_leader 1 where this instance leads.
		# TYPE portal_projection_leader gauge
		portal_projection_leader{build="1",projection="m"} 1
	`
	names := []string{"portal_projection_events_total", "portal_projection_quarantined_streams", "portal_projection_leader"}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	stop()
	if n := must(testutil.GatherAndCount(registry, "portal_projection_lag_seconds"))(t); n != 0 {
		t.Error("an instance that does not lead tells a lag")
	}
}
