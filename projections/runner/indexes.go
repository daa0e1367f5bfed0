package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// deferIndexes takes away the indexes of tables that are to be filled, but for
// those that are constraints, and writes down how to make them. An index over rows
// that are there already costs a fraction of one that every row is put into,
// and nobody reads these tables before.
func (b build) deferIndexes(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
		  AND NOT i.indisunique AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
		ORDER BY 1`, b.schema)
	if err != nil {
		return err
	}
	var name, definition string
	drops, definitions := []string{}, []string{} // not null, which an empty list is not
	if _, err := pgx.ForEachRow(rows, []any{&name, &definition}, func() error {
		drops, definitions = append(drops, "DROP INDEX "+name), append(definitions, definition)
		return nil
	}); err != nil {
		return err
	}
	if err := execute(ctx, tx, drops...); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE runner.builds SET deferred_indexes = $2 WHERE id = $1`, b.id, definitions)
	return err
}

// indexingLimit bounds the making of all indexes of a build.
const indexingLimit = 2 * time.Hour

// makeIndexes makes the indexes that were deferred, all or none. The build
// follows the log again afterwards.
func (l *leader) makeIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexingLimit)
	defer cancel()
	began := time.Now()
	var made int
	err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		var definitions []string
		if err := tx.QueryRow(ctx, `
			SELECT deferred_indexes FROM runner.builds WHERE id = $1 AND state = 'building'`, l.build.id).Scan(&definitions); err != nil || len(definitions) == 0 {
			return err
		}
		made = len(definitions)
		if err := execute(ctx, tx, fmt.Sprintf(`SET LOCAL statement_timeout = %d`, indexingLimit.Milliseconds()),
			`SET LOCAL maintenance_work_mem = '256MB'`); err != nil {
			return err
		}
		if l.courtesy().givesWay() {
			if err := execute(ctx, tx, `SET LOCAL max_parallel_maintenance_workers = 0`); err != nil {
				return err
			}
		}
		if err := execute(ctx, tx, definitions...); err != nil {
			return err
		}
		// Not locked before, or whoever cancels the build would have to wait.
		tag, err := tx.Exec(ctx, `UPDATE runner.builds SET deferred_indexes = '{}' WHERE id = $1 AND state = 'building'`, l.build.id)
		if err == nil && tag.RowsAffected() != 1 {
			return errGone
		}
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return errGone
	}
	if err == nil && made > 0 {
		l.log.InfoContext(ctx, "made the indexes", "indexes", made, "took", time.Since(began))
	}
	return err
}
