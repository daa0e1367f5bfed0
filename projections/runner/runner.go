package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"portal.example/eventstore"
	"portal.example/internal/bookmark"
)

// ErrOtherLog says that the log does not contain what a read model was built
// from: another log, or an older backup of this one. Nothing is applied then.
// Name the right log, or drop the read models and let them be built again.
var ErrOtherLog = bookmark.ErrOtherLog

// Config is what a runner needs. Pool, Client, Codec and Projections are
// required.
type Config struct {
	Pool        *pgxpool.Pool
	Client      *eventstore.Client
	Codec       *eventstore.Codec
	Projections []Projection
	Logger      *slog.Logger
	Registerer  prometheus.Registerer

	// Subscribe, where set, is used in the place of Client.Subscribe, such as
	// for a log that is in the same process.
	Subscribe func(context.Context, eventstore.SubscribeOptions) Source

	// CutOverOnRequest has the next version of a projection wait for CutOver, when
	// it has been filled, instead of going live by itself.
	CutOverOnRequest bool

	// Requests, where set, are what builds that are being filled give way to.
	Requests Requests

	// Discover, where set, lists projections that are not part of the program.
	// It is asked about every second, so that they can come and go.
	Discover func(context.Context) ([]Projection, error)
}

// Runner keeps a set of projections up with the log.
type Runner struct {
	cfg     Config
	metrics *metrics

	running atomic.Bool
	news    chan struct{} // a token for the supervisor: there is a new build
	mu      sync.Mutex
	workers map[int64]bool   // builds that have one here
	leads   map[int64]bool   // builds that are led here
	live    map[string]int64 // by projection: the build that was seen live last

	courtesy *courtesy

	tracks     map[string]*track // by projection
	discovered []Projection
	complaints map[string]string // about discovered ones, by projection
}

// New makes a runner. The database has been migrated (database.Migrate).
func New(cfg Config) *Runner {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		cfg:     cfg,
		tracks:  make(map[string]*track),
		metrics: newMetrics(cfg.Registerer),
		news:    make(chan struct{}, 1),
		workers: make(map[int64]bool),
		leads:   make(map[int64]bool),
		live:    make(map[string]int64),

		courtesy: newCourtesy(cfg.Requests),

		complaints: make(map[string]string),
	}
	for _, p := range cfg.Projections {
		r.tracks[p.Name()] = newTrack()
	}
	return r
}

// Run keeps the projections up with the log until ctx ends, and returns nil
// then, with nothing half done. It may run in several instances at once; for
// each build of a projection one of them leads. Postgres and the log may come
// and go. It fails with ErrOtherLog, and for a projection whose Schema is wrong.
func (r *Runner) Run(ctx context.Context) error {
	if err := checkProjections(r.cfg.Projections); err != nil {
		return err
	}
	r.running.Store(true)
	defer r.running.Store(false)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.supervise(ctx, group) })
	return group.Wait()
}

// supervise sees to it that every build in use has a worker here.
func (r *Runner) supervise(ctx context.Context, group *errgroup.Group) error {
	away := false
	for {
		err := r.startWorkers(ctx, group)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // stopping as asked is no failure
		case wrongSchema(err):
			return err
		case err != nil && !away:
			r.cfg.Logger.WarnContext(ctx, "projections wait for Postgres", "error", err)
		}
		away = err != nil
		if err := r.dropUnused(ctx); err != nil {
			r.cfg.Logger.DebugContext(ctx, "temporary tables wait to be dropped", "error", err)
		}
		timer := time.NewTimer(standByEvery)
		select {
		case <-timer.C:
		case <-r.news:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// lookAround has the supervisor look for new builds now.
func (r *Runner) lookAround() {
	select {
	case r.news <- struct{}{}:
	default: // it has been told already
	}
}

func (r *Runner) startWorkers(ctx context.Context, group *errgroup.Group) error {
	if err := r.noticeSwaps(ctx); err != nil {
		return err
	}
	for _, p := range r.cfg.Projections {
		builds, err := buildsOf(ctx, r.cfg.Pool, p)
		if errors.Is(err, errNewerIsLive) {
			continue // this program is older than what the database is for by now
		}
		if err != nil {
			return err
		}
		for _, b := range builds {
			r.startWorker(ctx, group, b)
		}
	}
	return r.startDiscovered(ctx, group)
}

func (r *Runner) startWorker(ctx context.Context, group *errgroup.Group, b build) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.workers[b.id] || b.aside {
		return
	}
	r.workers[b.id] = true
	group.Go(func() error {
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.workers, b.id)
		}()
		return newWorker(r, b).run(ctx)
	})
}

// wrongSchema tells an error that the projection's author has to mend.
func wrongSchema(err error) bool {
	var unfit *UnfitError
	if errors.As(err, &unfit) {
		return true
	}
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code[:2] == "42"
}

func (r *Runner) subscribe(ctx context.Context, options eventstore.SubscribeOptions) Source {
	if r.cfg.Subscribe != nil {
		return r.cfg.Subscribe(ctx, options)
	}
	return r.cfg.Client.Subscribe(ctx, options)
}

// leading takes note of whether this instance leads the build.
func (r *Runner) leading(build int64, leads bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leads {
		r.leads[build] = true
	} else {
		delete(r.leads, build)
	}
}

// Code is the projection in that version, nil where there is none of the name or
// it does not keep the version's code.
func (r *Runner) Code(ctx context.Context, name string, version int) (Projection, error) {
	p, err := r.projection(ctx, name)
	if errors.Is(err, errUnknown) {
		return nil, nil //nolint:nilnil // that there is no code is an answer
	}
	if err != nil {
		return nil, err
	}
	return InVersion(p, version), nil
}

var errUnknown = errors.New("there is no projection")

func (r *Runner) projection(ctx context.Context, name string) (Projection, error) {
	var found []Projection
	if r.cfg.Discover != nil {
		var err error
		if found, err = r.discover(ctx); err != nil {
			return nil, err
		}
	}
	for _, p := range slices.Concat(r.cfg.Projections, found) {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("runner: %w %q", errUnknown, name)
}
