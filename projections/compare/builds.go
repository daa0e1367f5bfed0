package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// Build is one filling of a projection's tables.
type Build struct {
	ID         int64               `json:"build"`
	Projection string              `json:"projection"`
	Version    int                 `json:"version"`
	Schema     string              `json:"schema"`
	State      string              `json:"state"` // building, live or retired
	At         eventstore.Position `json:"-"`     // what it contains of the log
	Position   string              `json:"position"`
	CaughtUp   bool                `json:"caughtUp"`
	Temporary  bool                `json:"temporary,omitempty"` // it never goes live
	Scope      *runner.Scope       `json:"scope,omitempty"`     // part of the log that it is filled from; nil for all of it
}

// ErrNoBuild says that there is no such build, or none to choose.
var ErrNoBuild = errors.New("no such build")

// Querier is a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Builds lists the builds of a projection whose tables are there, oldest first.
func Builds(ctx context.Context, db Querier, projection string) ([]Build, error) {
	return selectBuilds(ctx, db, "projection = $1", projection)
}

func selectBuilds(ctx context.Context, db Querier, condition string, args ...any) ([]Build, error) {
	rows, err := db.Query(ctx, `
		SELECT id, projection, version, schema, state, commit_position, prepare_position, caught_up,
		       purpose = 'temporary', scope
		FROM runner.builds
		WHERE `+condition+` AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
		ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("compare: listing builds: %w", err)
	}
	builds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Build, err error) {
		err = row.Scan(&b.ID, &b.Projection, &b.Version, &b.Schema, &b.State, &b.At.Commit, &b.At.Prepare, &b.CaughtUp,
			&b.Temporary, &b.Scope)
		b.Position = b.At.String()
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("compare: listing builds: %w", err)
	}
	return builds, nil
}

// Choose finds the build that is named: live, building (the newest that is being
// filled to go live), retired (the newest that was live), a number, or a schema.
func Choose(builds []Build, name string) (Build, error) {
	for _, b := range slices.Backward(builds) {
		if name == b.State && !b.Temporary || name == b.Schema || name == strconv.FormatInt(b.ID, 10) {
			return b, nil
		}
	}
	if len(builds) == 0 {
		return Build{}, fmt.Errorf("%w: the projection has none", ErrNoBuild)
	}
	known := make([]string, len(builds))
	for i, b := range builds {
		known[i] = fmt.Sprintf("%d (%s, %s)", b.ID, b.Schema, b.State)
	}
	return Build{}, fmt.Errorf("%w: %.60q; there are %s", ErrNoBuild, name, strings.Join(known, ", "))
}
