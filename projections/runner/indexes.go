package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// deferIndexes takes away the indexes of tables that are to be filled, but for
// those that are constraints or of partitions, and writes down how to make them. An
// index over rows that are there already costs a fraction of one that every row is
// put into, and nobody reads these tables before. For as long Postgres does not
// tidy up after mere insertions either: to read and write once more what was just
// written keeps the disk from requests.
func (b build) deferIndexes(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT 'DROP INDEX ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND NOT c.relispartition
		  AND NOT i.indisunique AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
		UNION ALL
		SELECT format('ALTER TABLE %s SET (autovacuum_vacuum_insert_threshold = -1)', oid::regclass),
		       format('ALTER TABLE %s RESET (autovacuum_vacuum_insert_threshold)', oid::regclass)
		FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'
		  AND coalesce(reloptions::text, '') NOT LIKE '%autovacuum_vacuum_insert_threshold=%'
		ORDER BY 1`, ident(b.schema))
	if err != nil {
		return err
	}
	var now, afterwards string
	do, put := []string{}, []string{} // not null, which an empty list is not
	if _, err := pgx.ForEachRow(rows, []any{&now, &afterwards}, func() error {
		do, put = append(do, now), append(put, afterwards)
		return nil
	}); err != nil {
		return err
	}
	if err := execute(ctx, tx, do...); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE runner.builds SET deferred_indexes = $2 WHERE id = $1`, b.id, put)
	return err
}

// indexingLimit bounds the making of all indexes of a build.
const indexingLimit = 2 * time.Hour

// makeIndexes makes the indexes that were deferred, all or none. The build
// follows the log again afterwards.
func (l *leader) makeIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexingLimit)
	defer cancel()
	began, made := time.Now(), false
	err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		var definitions []string
		if err := tx.QueryRow(ctx, `
			SELECT deferred_indexes FROM runner.builds WHERE id = $1 AND state = 'building'`, l.build.id).Scan(&definitions); err != nil || len(definitions) == 0 {
			return err
		}
		made = true
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
	if err == nil && made {
		l.log.InfoContext(ctx, "made the indexes", "took", time.Since(began))
	}
	return err
}

// analyze has Postgres look at the tables of a schema, so that it plans at once how
// to read them. It looks at so many rows of a table at most, however many there are,
// and leaves a table to whoever is at it already.
func analyze(ctx context.Context, conn *pgx.Conn, schema string) error {
	rows, _ := conn.Query(ctx, `
		SELECT 'ANALYZE (SKIP_LOCKED) ' || oid::regclass FROM pg_class
		WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p')`, ident(schema)) // CollectRows returns the error
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, statement := range statements {
		if err == nil {
			_, err = conn.Exec(ctx, statement)
		}
	}
	return err
}
