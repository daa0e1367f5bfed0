package keys

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema keys up to what this program expects. Several
// instances may do so at once. It has its own schema and its own count of
// versions, so that keys can be backed up, and moved to another database,
// apart from everything else.
func Migrate(ctx context.Context, conn *pgx.Conn) error {
	if err := migrateTo(ctx, conn); err != nil {
		return fmt.Errorf("keys: migrating: %w", err)
	}
	return nil
}

func migrateTo(ctx context.Context, conn *pgx.Conn) (err error) {
	// tern takes a lock as well, but only once its table has a schema to be in;
	// and two sessions that create a schema if it is not there can collide.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('portal/keys', 0))`); err != nil {
		return err
	}
	defer func() {
		_, unlock := conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended('portal/keys', 0))`)
		if err == nil {
			err = unlock
		}
	}()
	if _, err := conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS keys`); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	migrator, err := migrate.NewMigrator(ctx, conn, "keys.schema_version")
	if err != nil {
		return err
	}
	if err := migrator.LoadMigrations(files); err != nil {
		return err
	}
	return migrator.Migrate(ctx)
}
