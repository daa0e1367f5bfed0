package runner

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// build is one filling of a projection's tables: a row of runner.builds.
type build struct {
	id         int64
	projection Projection
	schema     string
	live       bool
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

// buildsOf lists the builds of the projection's version that are in use,
// making the first one.
func buildsOf(ctx context.Context, pool *pgxpool.Pool, p Projection) ([]build, error) {
	builds, err := listBuilds(ctx, pool, p)
	if err != nil || len(builds) > 0 {
		return builds, err
	}
	b, err := makeBuild(ctx, pool, p, false)
	if err != nil {
		return nil, fmt.Errorf("runner: projection %s version %d: %w", p.Name(), p.Version(), err)
	}
	return []build{b}, nil
}

// listBuilds leaves out builds whose schema somebody has dropped: read models
// may be, to be made again.
func listBuilds(ctx context.Context, db querier, p Projection) ([]build, error) {
	rows, err := db.Query(ctx, `
		SELECT id, schema, state = 'live' FROM runner.builds
		WHERE projection = $1 AND version = $2 AND state <> 'retired'
		  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
		ORDER BY id`, p.Name(), p.Version())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (build, error) {
		b := build{projection: p}
		return b, row.Scan(&b.id, &b.schema, &b.live)
	})
}

// makeBuild makes the tables of a build. It is live from the start where the
// projection has no live build yet, so that there is something to read. Unless
// another one is wanted, a build that is in use already is returned.
func makeBuild(ctx context.Context, pool *pgxpool.Pool, p Projection, another bool) (b build, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Instances that start together make one build, not two.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('portal/projection/' || $1, 0))`,
			p.Name()); err != nil {
			return err
		}
		if builds, err := listBuilds(ctx, tx, p); err != nil {
			return err
		} else if len(builds) > 0 && !another {
			b = builds[0]
			return nil
		}
		if err := forgetDropped(ctx, tx, p); err != nil {
			return err
		}
		b, err = insertBuild(ctx, tx, p)
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

func insertBuild(ctx context.Context, tx pgx.Tx, p Projection) (build, error) {
	var newest *int
	if err := tx.QueryRow(ctx, `SELECT max(version) FROM runner.builds WHERE projection = $1 AND state = 'live'`,
		p.Name()).Scan(&newest); err != nil {
		return build{}, err
	}
	b := build{projection: p, live: newest == nil, schema: fmt.Sprintf("%s_v%d", p.Name(), p.Version())}
	first := building
	switch {
	case b.live:
		first = live
	case *newest > p.Version():
		return build{}, fmt.Errorf("%w: %d", errNewerIsLive, *newest)
	}
	// A build beside another one of the same version has its number at the end
	// of the name.
	err := tx.QueryRow(ctx, `
		WITH next AS (SELECT nextval(pg_get_serial_sequence('runner.builds', 'id')) AS id)
		INSERT INTO runner.builds (id, projection, version, schema, state, live_at)
		OVERRIDING SYSTEM VALUE
		SELECT id, $1, $2,
		       CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $3) THEN $3 || '_' || id ELSE $3 END,
		       $4, CASE WHEN $4 = 'live' THEN now() END
		FROM next RETURNING id, schema`,
		p.Name(), p.Version(), b.schema, string(first)).Scan(&b.id, &b.schema)
	return b, err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
