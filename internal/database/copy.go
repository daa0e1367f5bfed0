package database

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Copy adds rows, given in Postgres's binary COPY format, to a table that is
// found by the search path. It is the fastest way in for rows that are all new.
//
// Postgres does not COPY into a table whose row-level security binds the user,
// which it does unless they are a superuser or have BYPASSRLS. The rows then
// take the way through a temporary table, at about twice the cost.
func Copy(ctx context.Context, tx pgx.Tx, table string, columns []string, data io.Reader) error {
	if err := copyRows(ctx, tx, table, columns, data); err != nil {
		return fmt.Errorf("database: copying into %s: %w", table, err)
	}
	return nil
}

func copyRows(ctx context.Context, tx pgx.Tx, table string, columns []string, data io.Reader) error {
	bound, err := boundByRowSecurity(ctx, tx, table)
	if err != nil {
		return err
	}
	into, list := quote(table), quoteAll(columns)
	if !bound {
		return copyInto(ctx, tx, into, list, data)
	}
	const way = "pg_temp.incoming_rows"
	if _, err = tx.Exec(ctx, "CREATE TEMPORARY TABLE incoming_rows ON COMMIT DROP AS SELECT "+list+
		" FROM "+into+" WITH NO DATA"); err != nil {
		return err
	}
	if err := copyInto(ctx, tx, way, list, data); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+into+" ("+list+") SELECT "+list+" FROM "+way+"; DROP TABLE "+way)
	return err
}

// boundByRowSecurity asks a dedicated connection only once about a table: small
// batches would feel the round trip.
func boundByRowSecurity(ctx context.Context, tx pgx.Tx, table string) (bound bool, err error) {
	remembered, key := tx.Conn().PgConn().CustomData(), "row security of "+table
	if bound, ok := remembered[key].(bool); ok {
		return bound, nil
	}
	err = tx.QueryRow(ctx, `SELECT row_security_active($1::text)`, table).Scan(&bound)
	if err == nil && remembered[dedicated] != nil {
		remembered[key] = bound
	}
	return bound, err
}

func copyInto(ctx context.Context, tx pgx.Tx, table, columns string, data io.Reader) error {
	_, err := tx.Conn().PgConn().CopyFrom(ctx, data, "COPY "+table+" ("+columns+") FROM STDIN (FORMAT binary)")
	return err
}

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }

func quoteAll(identifiers []string) string {
	quoted := make([]string, len(identifiers))
	for i, name := range identifiers {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
