package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"portal.example/internal/database"
)

// UnfitError says that a table of the projection cannot be secured.
type UnfitError struct{ Table, Lack string }

func (e *UnfitError) Error() string {
	return fmt.Sprintf("schema of the projection: table %s %s", e.Table, e.Lack)
}

// createTables makes the build's schema and closes it to everybody but the
// reader of one business.
func (b build) createTables(ctx context.Context, tx pgx.Tx) error {
	if err := CreateTables(ctx, tx, b.projection, b.schema); err != nil {
		return err
	}
	if b.live {
		return b.expose(ctx, tx)
	}
	return b.deferIndexes(ctx, tx)
}

// CreateTables makes the projection's tables in a new schema as they are made
// for a build, which they do not become: for a trial in a transaction.
func CreateTables(ctx context.Context, tx pgx.Tx, p Projection, schema string) error {
	b := build{projection: p, schema: schema}
	if err := execute(ctx, tx,
		"CREATE SCHEMA "+ident(b.schema),
		"SET LOCAL search_path = "+ident(b.schema),
		b.projection.Schema(),
		"SET LOCAL search_path = pg_catalog",
		"GRANT USAGE ON SCHEMA "+ident(b.schema)+" TO "+database.ReaderRole,
	); err != nil {
		return fmt.Errorf("schema %s: %w", b.schema, err)
	}
	relations, err := b.relations(ctx, tx)
	if err != nil {
		return err
	}
	for _, r := range relations {
		if err := r.secure(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// relation is a table of a build, or a view of the projection's own.
type relation struct {
	schema, name string
	view         bool
	columns      map[string]string // name → type
	nullable     []string
	generated    []string
}

func (b build) relations(ctx context.Context, tx pgx.Tx) ([]relation, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname, c.relkind = 'v',
		       array_agg(a.attname::text ORDER BY a.attnum),
		       array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum),
		       coalesce(array_agg(a.attname::text) FILTER (WHERE NOT a.attnotnull), '{}'),
		       coalesce(array_agg(a.attname::text) FILTER (WHERE a.attgenerated <> ''), '{}')
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
		  AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
		GROUP BY c.oid, c.relname, c.relkind ORDER BY c.relname`, b.schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (relation, error) {
		r := relation{schema: b.schema, columns: make(map[string]string)}
		var names, types []string
		err := row.Scan(&r.name, &r.view, &names, &types, &r.nullable, &r.generated)
		for i := range names {
			r.columns[names[i]] = types[i]
		}
		return r, err
	})
}

// secure lets the reader see the rows of the business that its transaction
// names, and the runner all rows. FORCE binds the tables' owner as well.
func (r relation) secure(ctx context.Context, tx pgx.Tx) error {
	table := pgx.Identifier{r.schema, r.name}.Sanitize()
	if r.view {
		return execute(ctx, tx,
			"ALTER VIEW "+table+" SET (security_invoker = true)",
			"GRANT SELECT ON "+table+" TO "+database.ReaderRole)
	}
	if err := r.checkColumns(); err != nil {
		return err
	}
	// Not set at all, the setting is null; after a transaction that set it, it
	// is empty. Either way nothing is equal to it.
	mine := "business_id = nullif(current_setting('portal.business', true), '')::" + r.columns["business_id"]
	return execute(ctx, tx,
		"ALTER TABLE "+table+" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
		"CREATE POLICY business ON "+table+" FOR SELECT TO "+database.ReaderRole+" USING ("+mine+")",
		"CREATE POLICY runner ON "+table+" TO "+database.RunnerRole+" USING (true) WITH CHECK (true)",
		"GRANT SELECT ON "+table+" TO "+database.ReaderRole)
}

func (r relation) checkColumns() error {
	for column, types := range map[string][]string{
		"business_id": {"text", "uuid"},
		"_stream":     {"text"},
		"_position":   {"bigint"},
	} {
		if !slices.Contains(types, r.columns[column]) {
			return &UnfitError{r.name, fmt.Sprintf("needs a column %s of type %s", column, strings.Join(types, " or "))}
		}
	}
	if slices.Contains(r.nullable, "business_id") {
		return &UnfitError{r.name, "has a business_id that may be null; it must be NOT NULL"}
	}
	return nil
}

// expose makes the views through which requests read the build, in the place of
// those of the build that was live.
func (b build) expose(ctx context.Context, tx pgx.Tx) error {
	if err := b.dropOldViews(ctx, tx); err != nil {
		return err
	}
	relations, err := b.relations(ctx, tx)
	if err != nil {
		return err
	}
	for _, r := range relations {
		view := pgx.Identifier{"read", r.name}.Sanitize()
		if err := execute(ctx, tx,
			"CREATE VIEW "+view+" WITH (security_invoker = true) AS SELECT * FROM "+
				pgx.Identifier{r.schema, r.name}.Sanitize(),
			"COMMENT ON VIEW "+view+" IS "+literal(b.owner()),
			"GRANT SELECT ON "+view+" TO "+database.ReaderRole,
		); err != nil {
			return fmt.Errorf("read.%s: %w", r.name, err)
		}
	}
	return nil
}

// owner marks the views of a projection, by which they are found again. Two
// projections with a table of the same name thus stay an error.
func (b build) owner() string { return "projection " + b.projection.Name() }

func (b build) dropOldViews(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT relname FROM pg_class
		WHERE relnamespace = 'read'::regnamespace AND relkind = 'v' AND obj_description(oid, 'pg_class') = $1
		ORDER BY relname`, b.owner())
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := execute(ctx, tx, "DROP VIEW "+pgx.Identifier{"read", name}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}

func execute(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
