package database

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// JobsSchema is the schema of what the portal has still to do by itself: the
// tables of River, the queue of jobs, and the bookmarks of followers.
const JobsSchema = "jobs"

// migrateJobs brings River's tables up to what its version in this program
// expects. Whoever calls it holds the lock on migrating.
func migrateJobs(ctx context.Context, url string) error {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return unreadable(err)
	}
	cfg.MaxConns = 1
	limit(cfg.ConnConfig, "portal migrate", 0, 0, 0)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: JobsSchema, Logger: slog.New(slog.DiscardHandler), // it would print each step
	})
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return nil
}
