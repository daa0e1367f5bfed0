package sqlprojection

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"portal.example/projections"
)

// Table finds a table of an installed projection, as it is live; false where
// there is none of the name.
func (c *Catalog) Table(ctx context.Context, name string) (t projections.Table, found bool, err error) {
	rows, err := c.Pool.Query(ctx, `
		SELECT b.projection, attname::text, format_type(atttypid, atttypmod)
		FROM runner.builds b
		JOIN pg_class t ON t.relnamespace = to_regnamespace(quote_ident(b.schema)) AND t.relname = $1
		JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
		WHERE b.state = 'live' AND b.projection IN (SELECT name FROM runner.sql_projections)
		ORDER BY array_position(i.indkey::int2[], a.attnum)`, name)
	if err != nil {
		return t, false, fmt.Errorf("sqlprojection: looking for table %s: %w", name, err)
	}
	var column projections.Column
	if _, err := pgx.ForEachRow(rows, []any{&t.Projection, &column.Name, &column.Type}, func() error {
		t.Key = append(t.Key, column)
		return nil
	}); err != nil {
		return t, false, fmt.Errorf("sqlprojection: looking for table %s: %w", name, err)
	}
	t.Name = name
	return t, len(t.Key) > 0, nil
}
