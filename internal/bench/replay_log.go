package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/internal/database"
	"portal.example/internal/demo"
	"portal.example/internal/postgres"
	"portal.example/projections/runner"
)

// replayLog is a portal's log of so many events, with read models that know all
// of it. A measurement starts the portal on it and stops it again.
type replayLog struct {
	lab    *Lab
	name   string // of the database
	events int    // asked for

	prepared    sync.Once
	unprepared  error // why it is not
	program     string
	environment []string
	dir         string
	url, token  string
	pool        *pgxpool.Pool
}

const (
	minReplay     = 1000
	replayWriters = 8
	replayLimit   = 3 * time.Hour // of anything that takes long
	sayEvery      = 10 * time.Second
	lookAgain     = 50 * time.Millisecond
)

// withPortal runs use on a portal that has just been started.
func (r *replayLog) withPortal(ctx context.Context, use func([]*office, *portal) (Sample, error)) (sample Sample, err error) {
	r.prepared.Do(func() { r.unprepared = r.prepare(ctx) })
	if r.unprepared != nil {
		return nil, r.unprepared
	}
	// What Postgres would do within the next minutes, beside whatever is measured.
	for _, tidy := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if err := execute(ctx, r.url, tidy); err != nil {
			return nil, err
		}
	}
	p, stop, err := r.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	p.token = r.token
	return p.staff(ctx, replayWriters, func(offices []*office) (Sample, error) { return use(offices, p) })
}

func (r *replayLog) serve(ctx context.Context) (p *portal, stop func() error, err error) {
	return servePortal(ctx, r.program, r.environment, filepath.Join(r.dir, "portal.log"))
}

// prepare fills the log and has a portal read it once.
func (r *replayLog) prepare(ctx context.Context) (err error) {
	if r.program, err = r.lab.program(); err != nil {
		return err
	}
	server, err := r.lab.database()
	if err != nil {
		return err
	}
	// As the Postgres of make run and of docker-compose.yml is set.
	if err := execute(ctx, server.URL("postgres"), "CREATE DATABASE "+r.name); err != nil {
		return err
	}
	if err := execute(ctx, server.URL("postgres"), "ALTER DATABASE "+r.name+" SET backend_flush_after = '"+postgres.FlushAfter+"'"); err != nil {
		return err
	}
	r.url = server.URL(r.name)
	if r.dir, err = r.lab.tempDir(r.name); err != nil {
		return err
	}
	data := filepath.Join(r.dir, "data")
	r.environment = append(os.Environ(), "DATABASE_URL="+r.url, "PORTAL_DATA="+data, "PORTAL_LISTEN=127.0.0.1:0")
	if err := r.fill(ctx, data); err != nil {
		return fmt.Errorf("filling the log: %w", err)
	}
	if r.pool, err = database.Open(ctx, r.url); err != nil {
		return err
	}
	r.lab.cleanups = append(r.lab.cleanups, func() error { r.pool.Close(); return os.RemoveAll(r.dir) })
	_, stop, err := r.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := r.await(ctx, "first reading", allCaughtUp); err != nil {
		return err
	}
	r.token, err = runPortal(ctx, r.program, r.environment, "keys", "create", "--business", "bench", "--role", "office")
	return err
}

// fill imports a demo business, clones it, and adds the one that the load is of.
func (r *replayLog) fill(ctx context.Context, data string) (err error) {
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	h, err := openHistory(ctx, r.url, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	room, err := h.room(ctx, data)
	if err != nil {
		return err
	}
	const slug = "6a1c7d4e-0000-4000-8000-000000000000" // an id, so that clones have slugs of their own
	if _, err := h.importDemo(ctx, room, slug, r.lab.replaySize().New(1, demoUntil)); err != nil {
		return err
	}
	business, err := readOriginal(ctx, h)
	if err != nil {
		return err
	}
	said := time.Now()
	events, err := business.cloneUntil(ctx, h, r.events, func(done int) {
		if time.Since(said) > sayEvery {
			said = time.Now()
			r.lab.report("replay · filling the log: %s of %s events", count(done), count(r.events))
		}
	})
	if err != nil {
		return err
	}
	r.lab.report("replay · the log has %s events of %d businesses", count(events), events/business.events)
	_, err = register(ctx, room, "bench")
	return err
}

// replaySize is that of the business which is cloned: the demo's, unless the
// smaller of the two logs has no room for one as big.
func (l *Lab) replaySize() demo.Size {
	const eventsOfFull = 90_000
	scaled := func(full, small int) int { return max(small, min(full, full*(l.Replay/10)/eventsOfFull)) }
	return demo.Size{
		Customers: scaled(demo.Full.Customers, demo.Small.Customers), Invoices: scaled(demo.Full.Invoices, demo.Small.Invoices),
		Requests: scaled(demo.Full.Requests, demo.Small.Requests), Quotes: scaled(demo.Full.Quotes, demo.Small.Quotes),
	}
}

// allCaughtUp says that the read models know the whole log; those that are looked
// at are among them.
func allCaughtUp(builds []runner.Status) bool {
	known := 0
	for _, p := range replayed() {
		if slices.ContainsFunc(builds, func(s runner.Status) bool { return s.Projection == p.Name() }) {
			known++
		}
	}
	return known == len(replayed()) && !slices.ContainsFunc(builds, func(s runner.Status) bool {
		return s.State() == runner.Building || s.Live && !s.CaughtUp
	})
}

// await looks at the builds until they are as wanted. The portal does the work.
func (r *replayLog) await(ctx context.Context, what string, wanted func([]runner.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, replayLimit)
	defer cancel()
	look := runner.New(runner.Config{Pool: r.pool})
	for said := time.Now(); ; {
		builds, err := look.Status(ctx)
		if err != nil {
			return err
		}
		for _, s := range builds {
			if s.Quarantined > 0 || s.PutAside != "" {
				return fmt.Errorf("%s: %d streams in quarantine: %s", s.Projection, s.Quarantined, s.PutAside)
			}
		}
		if wanted(builds) {
			return nil
		}
		if time.Since(said) > sayEvery {
			said = time.Now()
			for _, s := range builds {
				if s.State() == runner.Building || s.Live && !s.CaughtUp {
					r.lab.report("replay · %s: %s, %s events", what, s.Projection, count(int(s.Progress.Events)))
				}
			}
		}
		if err := pause(ctx, lookAgain); err != nil {
			return err
		}
	}
}
