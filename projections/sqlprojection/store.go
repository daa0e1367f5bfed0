package sqlprojection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/internal/database"
	"portal.example/projections/runner"
)

// ErrVersion says that another text is installed under the version already.
var ErrVersion = errors.New("raise the version")

// ErrPersonal says that a definition wants to see personal fields, to which
// nobody has said yes.
var ErrPersonal = errors.New("the definition wants to see personal fields")

// Install makes a definition that Check found good one of the database's
// projections: every instance of the portal fills it from now on, and whoever
// asks reads the version before until this one has caught up. Installing what is
// installed changes nothing, but has it taken up again where it was put aside.
func Install(ctx context.Context, pool *pgxpool.Pool, d *Definition, by string, personal bool) error {
	if d.Personal && !personal {
		return ErrPersonal
	}
	role, err := makeRole(ctx, pool, d.Name)
	if err != nil {
		return fmt.Errorf("sqlprojection: installing %s: %w", d.Name, err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, d.Name); err != nil {
			return err
		}
		if err := d.fits(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO runner.sql_projections (name, version, source, role, personal, installed_by)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			d.Name, d.Version, d.Source, role, d.Personal, by); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE runner.builds SET put_aside = NULL WHERE projection = $1`, d.Name)
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlprojection: installing %s: %w", d.Name, err)
	}
	return nil
}

// fits demands that the definition is the newest version, or a new one.
func (d *Definition) fits(ctx context.Context, tx pgx.Tx) error {
	var version int
	var source string
	err := tx.QueryRow(ctx, `SELECT version, source FROM runner.sql_projections
		WHERE name = $1 ORDER BY version DESC LIMIT 1`, d.Name).Scan(&version, &source)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	case d.Version < version, d.Version == version && d.Source != source:
		return fmt.Errorf("%w: version %d is installed", ErrVersion, version)
	}
	return nil
}

// lock is the runner's own, under which it makes builds.
func lock(ctx context.Context, tx pgx.Tx, name string) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('portal/projection/' || $1, 0))`, name)
	return err
}

// makeRole makes the role of a projection where it is missing. Roles belong to
// the whole cluster, so that the name has the database in it.
func makeRole(ctx context.Context, pool *pgxpool.Pool, name string) (role string, err error) {
	if err := pool.QueryRow(ctx, `SELECT format('portal_sql_%s_%s', oid, $1::text) FROM pg_database
		WHERE datname = current_database()`, name).Scan(&role); err != nil {
		return "", err
	}
	return role, ensureRole(ctx, pool, role)
}

// ensureRole makes the role where it is missing, as after a dump of the database
// was restored elsewhere.
func ensureRole(ctx context.Context, pool *pgxpool.Pool, role string) error {
	return pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return database.EnsureRole(ctx, conn.Conn(), role) })
}

// Uninstall removes a projection with its tables and its role. It is false where
// there is none of the name.
func Uninstall(ctx context.Context, pool *pgxpool.Pool, name string) (found bool, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		found, err = uninstall(ctx, tx, name)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("sqlprojection: uninstalling %s: %w", name, err)
	}
	return found, nil
}

func uninstall(ctx context.Context, tx pgx.Tx, name string) (bool, error) {
	if err := lock(ctx, tx, name); err != nil {
		return false, err
	}
	rows, err := tx.Query(ctx, `DELETE FROM runner.sql_projections WHERE name = $1 RETURNING role`, name)
	if err != nil {
		return false, err
	}
	roles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(roles) == 0 {
		return false, err
	}
	rows, err = tx.Query(ctx, `SELECT schema FROM runner.builds WHERE projection = $1`, name)
	if err != nil {
		return false, err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return false, err
	}
	// In the leader's own order: tables, then the build. It sees that this is
	// gone, and ends.
	for _, schema := range schemas {
		if _, err := tx.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE"); err != nil {
			return false, err
		}
	}
	if _, err := tx.Exec(ctx, `DELETE FROM runner.builds WHERE projection = $1`, name); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, "DROP ROLE IF EXISTS "+pgx.Identifier{roles[0]}.Sanitize())
	return true, err
}

// Installed is a projection of the database.
type Installed struct {
	Name     string
	Version  int
	Source   string
	Personal bool
	At       time.Time
	By       string
	role     string
}

// Types are the events that it is for; none where it cannot be read any more.
func (i Installed) Types() []string {
	d, err := Parse(i.Source)
	if err != nil {
		return nil
	}
	return d.Types()
}

// List lists the newest version of each installed projection.
func List(ctx context.Context, pool *pgxpool.Pool) ([]Installed, error) {
	return list(ctx, pool, `SELECT DISTINCT ON (name) `+columns+` FROM runner.sql_projections ORDER BY name, version DESC`)
}

const columns = `name, version, source, personal, installed_at, installed_by, role`

func list(ctx context.Context, pool *pgxpool.Pool, query string) ([]Installed, error) {
	rows, err := pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("sqlprojection: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i Installed, err error) {
		return i, row.Scan(&i.Name, &i.Version, &i.Source, &i.Personal, &i.At, &i.By, &i.role)
	})
	if err != nil {
		return nil, fmt.Errorf("sqlprojection: %w", err)
	}
	return list, nil
}

// Catalog is what the runner discovers.
type Catalog struct {
	Pool   *pgxpool.Pool
	Logger *slog.Logger
	Limits Limits // Running, unless a test is in a hurry

	mu    sync.Mutex
	known map[edition]runner.Projection // nil for what cannot be read
}

// edition is an installed text.
type edition struct {
	name    string
	version int
	at      int64 // microseconds
}

// Discover lists the newest version of each installed projection. It is meant to
// be asked often: a definition is fetched and read once.
func (c *Catalog) Discover(ctx context.Context) ([]runner.Projection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows, err := c.Pool.Query(ctx, `SELECT DISTINCT ON (name) name, version, installed_at
		FROM runner.sql_projections ORDER BY name, version DESC`)
	if err != nil {
		return nil, fmt.Errorf("sqlprojection: %w", err)
	}
	editions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e edition, err error) {
		var at time.Time
		err = row.Scan(&e.name, &e.version, &at)
		e.at = at.UnixMicro()
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlprojection: %w", err)
	}
	var found []runner.Projection
	for _, e := range editions {
		if _, known := c.known[e]; !known {
			if err := c.learn(ctx); err != nil {
				return nil, err
			}
		}
		if p := c.known[e]; p != nil {
			found = append(found, p)
		}
	}
	return found, nil
}

// learn reads all definitions anew, earlier versions first. One that another
// version of the program took and this one does not is left out.
func (c *Catalog) learn(ctx context.Context) error {
	all, err := list(ctx, c.Pool, `SELECT `+columns+` FROM runner.sql_projections ORDER BY name, version`)
	if err != nil {
		return err
	}
	limits := c.Limits
	if limits.Statement == 0 {
		limits = Running
	}
	known := make(map[edition]runner.Projection, len(all))
	before := make(map[string]runner.Projection)
	for _, i := range all {
		d, err := Parse(i.Source)
		if err == nil {
			err = ensureRole(ctx, c.Pool, i.role)
		}
		var p runner.Projection
		switch {
		case err != nil && (ctx.Err() != nil || database.Away(err)):
			return err
		case err != nil:
			c.Logger.ErrorContext(ctx, "installed projection cannot run", "projection", i.Name, "error", err)
		default:
			p = New(d, i.role, limits, before[i.Name])
			before[i.Name] = p
		}
		known[edition{i.Name, i.Version, i.At.UnixMicro()}] = p
	}
	c.known = known
	return nil
}
