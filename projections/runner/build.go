package runner

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// build is one filling of a projection's tables: a row of runner.builds.
type build struct {
	id         int64
	projection Projection
	schema     string
	live       bool
	purpose    purpose
	scope      *Scope // nil: the whole log
	aside      bool   // nobody follows it any more, see ErrStuck
}

// state is the life of a build: it is filled, then read by requests, then kept
// for a while to go back to.
type state string

const (
	building state = "building"
	live     state = "live"
	retired  state = "retired"
)

var (
	errNewerIsLive = errors.New("a newer version is live")

	// errGone says that a build has been retired or dropped.
	errGone = errors.New("the build is not in use any more")
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func checkProjections(projections []Projection) error {
	seen := make(map[string]bool)
	for _, p := range projections {
		switch name := p.Name(); {
		case !validName.MatchString(name):
			return fmt.Errorf("runner: %q cannot be the name of a projection", name)
		case seen[name]:
			return fmt.Errorf("runner: two projections are named %s", name)
		case p.Version() < 1:
			return fmt.Errorf("runner: projection %s has version %d; they begin at 1", name, p.Version())
		default:
			seen[name] = true
		}
	}
	return nil
}

// buildsOf lists the builds of the projection that are in use: of its version,
// making the first one, and of earlier ones that it keeps.
func buildsOf(ctx context.Context, pool *pgxpool.Pool, p Projection) ([]build, error) {
	builds, err := newestBuilds(ctx, pool, p)
	if err != nil {
		return builds, err
	}
	for _, p := range earlier(p) {
		more, err := listBuilds(ctx, pool, p)
		if err != nil {
			return nil, err
		}
		builds = append(builds, more...)
	}
	return builds, nil
}

func newestBuilds(ctx context.Context, pool *pgxpool.Pool, p Projection) ([]build, error) {
	builds, err := listBuilds(ctx, pool, p)
	if err != nil || slices.ContainsFunc(builds, build.ofProgram) {
		return builds, err
	}
	if back, err := heldBack(ctx, pool, p); err != nil || back {
		return builds, err
	}
	b, err := makeBuild(ctx, pool, p, nil)
	if err != nil {
		return nil, fmt.Errorf("runner: projection %s version %d: %w", p.Name(), p.Version(), err)
	}
	return append(builds, b), nil
}

// ofProgram tells builds that the program needs from those that somebody has asked
// for beside them.
func (b build) ofProgram() bool { return b.live || b.purpose == forVersion }

// heldBack tells whether somebody went back from this version of the projection
// to one before, so that it does not come again by itself.
func heldBack(ctx context.Context, db querier, p Projection) (back bool, err error) {
	err = db.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM runner.builds WHERE projection = $1 AND state = 'live' AND held_back >= $2)`,
		p.Name(), p.Version()).Scan(&back)
	return back, err
}

// listBuilds leaves out builds whose schema somebody has dropped: read models
// may be, to be made again.
func listBuilds(ctx context.Context, db querier, p Projection) ([]build, error) {
	rows, err := db.Query(ctx, `
		SELECT id, schema, state = 'live', purpose, scope, put_aside IS NOT NULL FROM runner.builds
		WHERE projection = $1 AND version = $2 AND state <> 'retired'
		  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
		ORDER BY id`, p.Name(), p.Version())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (build, error) {
		b := build{projection: p}
		return b, row.Scan(&b.id, &b.schema, &b.live, &b.purpose, &b.scope, &b.aside)
	})
}

// makeBuild makes the tables of a build. It is live from the start where the
// projection has no live build yet, so that there is something to read. Without
// options it is the program's own, and where that is there already, it is
// returned; with options it is another one.
func makeBuild(ctx context.Context, pool *pgxpool.Pool, p Projection, o *Options) (b build, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Instances that start together make one build, not two.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('portal/projection/' || $1, 0))`,
			p.Name()); err != nil {
			return err
		}
		if o == nil {
			builds, err := listBuilds(ctx, tx, p)
			if i := slices.IndexFunc(builds, build.ofProgram); err != nil || i >= 0 {
				if i >= 0 {
					b = builds[i]
				}
				return err
			}
		} else if _, err := underWay(ctx, tx, p.Name()); !errors.Is(err, ErrNoReplay) && !o.Temporary {
			if err == nil {
				err = ErrUnderWay
			}
			return err
		}
		if o != nil && o.shared {
			if b, err = shared(ctx, tx, p, o.Scope); err != nil || b.id != 0 {
				return err
			}
			if err := makeRoom(ctx, tx, o.Scope.Business); err != nil {
				return err
			}
		}
		if err := forgetDropped(ctx, tx, p); err != nil {
			return err
		}
		b, err = insertBuild(ctx, tx, p, o)
		if err != nil {
			return err
		}
		return b.createTables(ctx, tx)
	})
	return b, err
}

func forgetDropped(ctx context.Context, tx pgx.Tx, p Projection) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM runner.builds
		WHERE projection = $1 AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)`, p.Name())
	return err
}

func insertBuild(ctx context.Context, tx pgx.Tx, p Projection, o *Options) (build, error) {
	var newest *int
	if err := tx.QueryRow(ctx, `SELECT max(version) FROM runner.builds WHERE projection = $1 AND state = 'live'`,
		p.Name()).Scan(&newest); err != nil {
		return build{}, err
	}
	b := build{
		projection: p, live: newest == nil, purpose: forVersion, schema: fmt.Sprintf("%s_v%d", p.Name(), p.Version()),
	}
	first, throttle, cutOver := building, 0, false
	switch {
	case b.live && o != nil:
		return build{}, ErrNothingLive
	case b.live:
		first = live
	case *newest > p.Version():
		return build{}, fmt.Errorf("%w: %d", errNewerIsLive, *newest)
	}
	if o != nil {
		b.purpose, throttle, cutOver = o.purpose(), o.Throttle, o.CutOver
		if !o.Scope.whole() {
			b.scope = &o.Scope
		}
	}
	// A build beside another one of the same version has its number at the end
	// of the name.
	err := tx.QueryRow(ctx, `
		WITH next AS (SELECT nextval(pg_get_serial_sequence('runner.builds', 'id')) AS id)
		INSERT INTO runner.builds (id, projection, version, schema, state, live_at, purpose, scope, throttle, cutover_asked, used_at)
		OVERRIDING SYSTEM VALUE
		SELECT id, $1, $2,
		       CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $3) THEN $3 || '_' || id ELSE $3 END,
		       $4, CASE WHEN $4 = 'live' THEN now() END, $5, $6, nullif($7::integer, 0), CASE WHEN $8 THEN now() END,
		       CASE WHEN $9 THEN now() END
		FROM next RETURNING id, schema`,
		p.Name(), p.Version(), b.schema, string(first), string(b.purpose), b.scope, throttle, cutOver, o != nil && o.shared).Scan(&b.id, &b.schema)
	return b, err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
