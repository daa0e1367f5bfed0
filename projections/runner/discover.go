package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"portal.example/internal/database"
)

// ErrStuck is wrapped by an error of Apply that no event is to blame for and that
// will hardly pass, such as a statement that took longer than it may. The runner
// tries again with fewer events at a time, and puts the build aside after
// maxStuck attempts in a row: it is not followed until somebody takes it up
// again, and Status tells why. All others go on.
var ErrStuck = errors.New("the projection is stuck")

const maxStuck = 5

// putAside writes down why the build is not followed any more.
func (w *worker) putAside(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(ctx, tickLimit)
	defer cancel()
	_, err := w.runner.cfg.Pool.Exec(ctx, `UPDATE runner.builds SET put_aside = $2 WHERE id = $1`,
		w.build.id, storable(why.Error()))
	if err == nil {
		w.log.ErrorContext(ctx, "projection put aside", "error", why)
	}
	return err
}

// startDiscovered does for projections that are not part of the program what
// startWorkers does for those that are. What is wrong with one of them holds up
// no other.
func (r *Runner) startDiscovered(ctx context.Context, group *errgroup.Group) error {
	if r.cfg.Discover == nil {
		return nil
	}
	found, err := r.discover(ctx)
	switch {
	case err != nil && (ctx.Err() != nil || database.Away(err)):
		return err
	case err != nil:
		r.complain(ctx, "all that are not part of the program", err)
		return nil
	}
	for _, p := range found {
		builds, err := buildsOf(ctx, r.cfg.Pool, p)
		switch {
		case err != nil && (ctx.Err() != nil || database.Away(err)):
			return err
		case errors.Is(err, errNewerIsLive):
		case err != nil:
			r.complain(ctx, p.Name(), err)
		}
		for _, b := range builds {
			r.startWorker(ctx, group, b)
		}
	}
	return nil
}

// discover asks for the projections there are now, and remembers them.
func (r *Runner) discover(ctx context.Context) ([]Projection, error) {
	found, err := r.cfg.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("runner: discovering projections: %w", err)
	}
	good := found[:0:0]
	for _, p := range found {
		if err := checkProjections(slices.Concat(r.cfg.Projections, good, []Projection{p})); err != nil {
			r.complain(ctx, p.Name(), err)
			continue
		}
		good = append(good, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.discovered = good
	for _, p := range good {
		if r.tracks[p.Name()] == nil {
			r.tracks[p.Name()] = newTrack()
		}
	}
	return good, nil
}

// complain logs what is wrong with a discovered projection, once as long as it
// stays the same.
func (r *Runner) complain(ctx context.Context, projection string, err error) {
	r.mu.Lock()
	said := r.complaints[projection] == err.Error()
	r.complaints[projection] = err.Error()
	r.mu.Unlock()
	if !said {
		r.cfg.Logger.ErrorContext(ctx, "projection cannot be filled", "projection", projection, "error", err)
	}
}

// track is nil for a projection that is not known here.
func (r *Runner) track(projection string) *track {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tracks[projection]
}
