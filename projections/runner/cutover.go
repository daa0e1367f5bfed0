package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	// ErrNothingBefore says that no earlier build of the projection is kept.
	ErrNothingBefore = errors.New("no earlier tables of the projection are kept")

	// ErrOtherVersion says that this program cannot bring tables of another version
	// up to date.
	ErrOtherVersion = errors.New("this program has not the version of the projection that filled the earlier tables")
)

const askForCutOver = `cutover_asked = coalesce(cutover_asked, now()), wanted = 'run'`

// CutOver asks that what a replay has filled goes live: all of the tables, in one
// transaction, once they are not behind the live ones; or the rows of a part,
// once both contain the same events of it. The leader of the build does it; the
// build is returned, to be watched. After a roll-back, without a replay under way,
// it brings back what was rolled back.
func (r *Runner) CutOver(ctx context.Context, projection string) (int64, error) {
	p, err := r.projection(ctx, projection)
	if err != nil {
		return 0, err
	}
	id, err := underWay(ctx, r.cfg.Pool, projection)
	if errors.Is(err, ErrNoReplay) {
		if back, err := wentBack(ctx, r.cfg.Pool, projection); err != nil || back {
			return r.bringBack(ctx, p, err)
		}
	}
	if err == nil {
		err = r.askForCutOver(ctx, p, id)
	}
	if err != nil {
		return 0, fmt.Errorf("runner: cutting over %s: %w", projection, err)
	}
	return id, nil
}

func (r *Runner) askForCutOver(ctx context.Context, p Projection, id int64) error {
	var scope *Scope
	err := r.cfg.Pool.QueryRow(ctx, `SELECT scope FROM runner.builds WHERE id = $1`, id).Scan(&scope)
	if err != nil {
		return err
	}
	if err := scope.replaceable(p); err != nil {
		return err
	}
	return wish(ctx, r.cfg.Pool, id, askForCutOver)
}

// wentBack tells whether what is live was live before what is kept.
func wentBack(ctx context.Context, db querier, projection string) (back bool, err error) {
	err = db.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM runner.builds l JOIN runner.builds k USING (projection)
		WHERE projection = $1 AND l.state = 'live' AND k.state = 'retired' AND k.live_at IS NOT NULL AND l.id < k.id)`,
		projection).Scan(&back)
	return back, err
}

func (r *Runner) bringBack(ctx context.Context, p Projection, err error) (int64, error) {
	if err == nil {
		return r.RollBack(ctx, p.Name())
	}
	return 0, fmt.Errorf("runner: cutting over %s: %w", p.Name(), err)
}

// previous is the build that was live before the present one.
type previous struct {
	build
	version int
	asOf    time.Time
}

func previousBuild(ctx context.Context, db querier, p Projection) (b previous, err error) {
	b.projection = p
	err = db.QueryRow(ctx, `
		SELECT id, schema, version, as_of FROM runner.builds
		WHERE projection = $1 AND state = 'retired' AND live_at IS NOT NULL
		  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
		ORDER BY live_at DESC LIMIT 1`, p.Name()).Scan(&b.id, &b.schema, &b.version, &b.asOf)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNothingBefore
	}
	return b, err
}

// RollBack asks that the build that was live before becomes so again. It is brought
// up to date first, so that readers do not go back in time, and then goes live in
// one transaction; its leader does both. That takes the program that has its
// version of the projection; else it fails with ErrOtherVersion. The build is
// returned, to be watched.
func (r *Runner) RollBack(ctx context.Context, projection string) (int64, error) {
	p, err := r.projection(ctx, projection)
	if err != nil {
		return 0, err
	}
	b, err := previousBuild(ctx, r.cfg.Pool, p)
	if err == nil && InVersion(p, b.version) == nil {
		err = fmt.Errorf("%w: they have version %d, and the program %d", ErrOtherVersion, b.version, p.Version())
	}
	if err != nil {
		return 0, fmt.Errorf("runner: rolling %s back: %w", projection, err)
	}
	tag, err := r.cfg.Pool.Exec(ctx, `
		UPDATE runner.builds
		SET state = 'building', wanted = 'run', throttle = NULL, cutover_asked = now(), target = 0, rate = 0, speed = 0
		WHERE id = $1 AND state = 'retired'`, b.id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNothingBefore // somebody was faster
	}
	if err != nil {
		return 0, fmt.Errorf("runner: rolling %s back: %w", projection, err)
	}
	r.lookAround()
	return b.id, nil
}

// RollBackStale makes the build that was live before live at once, as old as it
// is, and returns up to when it is complete. Readers are told that moment. It
// stays so old until a program with its version runs.
func (r *Runner) RollBackStale(ctx context.Context, projection string) (asOf time.Time, err error) {
	p, err := r.projection(ctx, projection)
	if err != nil {
		return asOf, err
	}
	err = pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		var version int
		err := tx.QueryRow(ctx, `
			SELECT version FROM runner.builds WHERE projection = $1 AND state = 'live' FOR UPDATE`, projection).Scan(&version)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNothingLive
		}
		if err != nil {
			return err
		}
		b, err := previousBuild(ctx, tx, p)
		if err != nil {
			return err
		}
		asOf = b.asOf
		return b.replaceLive(ctx, tx, version, retired)
	})
	if err != nil {
		return asOf, fmt.Errorf("runner: rolling %s back: %w", projection, err)
	}
	r.lookAround()
	return asOf, nil
}

// Drop drops the build that was live before, after which nobody can go back to it.
func Drop(ctx context.Context, pool *pgxpool.Pool, projection string) (dropped int, err error) {
	err = pool.QueryRow(ctx, `
		SELECT count(*) FROM runner.builds WHERE projection = $1 AND state = 'retired' AND live_at IS NOT NULL`,
		projection).Scan(&dropped)
	if err == nil {
		err = dropBuilds(ctx, pool, `SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'retired'`, projection)
	}
	if err != nil {
		return 0, fmt.Errorf("runner: dropping earlier tables of %s: %w", projection, err)
	}
	return dropped, nil
}
