package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"

	"portal.example/internal/adapters/keys"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The roles that Migrate makes. See the package comment.
const (
	ReaderRole = "portal_reader"
	RunnerRole = "portal_runner"
)

// migrateLimit bounds a migration, the wait for another instance's included.
const migrateLimit = 5 * time.Minute

// Migrate brings the database up to what this program expects. It may be called
// by several instances at once, and changes nothing where there is nothing to
// do. The user must own the database, and be able to make roles or find them
// made. The read models are not its business: they are derived.
func Migrate(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, migrateLimit)
	defer cancel()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return unreadable(err)
	}
	delete(cfg.RuntimeParams, "pool_max_conns")
	limit(cfg, "portal migrate", 0, 0, 0)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	err = migrateTo(ctx, conn, url)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("database: migrating: %w", err)
	}
	return nil
}

func migrateTo(ctx context.Context, conn *pgx.Conn, url string) error {
	var version int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	if version < 150000 {
		return errors.New("PostgreSQL 15 or newer is needed (for views with the reader's rights)")
	}
	// tern takes a lock as well, but only after it has made its own table.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('portal/migrate', 0))`); err != nil {
		return err
	}
	for _, role := range []string{ReaderRole, RunnerRole} {
		if err := EnsureRole(ctx, conn, role); err != nil {
			return err
		}
	}
	if _, err := conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS runner`); err != nil {
		return err
	}
	if err := tern(ctx, conn); err != nil {
		return err
	}
	if err := migrateJobs(ctx, url); err != nil {
		return err
	}
	return keys.Migrate(ctx, conn)
}

func tern(ctx context.Context, conn *pgx.Conn) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	migrator, err := migrate.NewMigrator(ctx, conn, "runner.schema_version")
	if err != nil {
		return err
	}
	if err := migrator.LoadMigrations(files); err != nil {
		return err
	}
	return migrator.Migrate(ctx)
}
