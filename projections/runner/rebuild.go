package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"portal.example/internal/wait"
)

// Rebuild fills new tables for the projection from the start of the log, beside
// the live ones, and has requests read them once they have caught up. It returns
// then. Run need not be running, here or elsewhere. When ctx ends first, the
// tables stay, and whoever runs the projection finishes them. A replay that is
// under way is joined.
func (r *Runner) Rebuild(ctx context.Context, projection string) error {
	if err := r.rebuild(ctx, projection); err != nil {
		return fmt.Errorf("runner: rebuilding %s: %w", projection, err)
	}
	return ctx.Err()
}

func (r *Runner) rebuild(ctx context.Context, projection string) error {
	p, err := r.projection(ctx, projection)
	if err != nil {
		return err
	}
	b, err := makeBuild(ctx, r.cfg.Pool, p, &Options{CutOver: true})
	if errors.Is(err, ErrNothingLive) {
		b, err = makeBuild(ctx, r.cfg.Pool, p, nil)
	}
	if errors.Is(err, ErrUnderWay) {
		b, err = r.join(ctx, p)
	}
	if err != nil {
		return err
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
	return group.Wait()
}

// join asks for the cut-over of the build that is under way.
func (r *Runner) join(ctx context.Context, p Projection) (build, error) {
	id, err := underWay(ctx, r.cfg.Pool, p.Name())
	if err != nil {
		return build{}, err
	}
	builds, err := listBuilds(ctx, r.cfg.Pool, p)
	if err != nil {
		return build{}, err
	}
	for _, b := range builds {
		if b.id == id && b.scope.whole() {
			return b, wish(ctx, r.cfg.Pool, id, askForCutOver)
		}
	}
	return build{}, ErrUnderWay
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
