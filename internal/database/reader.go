package database

import (
	"context"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// businessID is every id that can stand between quotes as it is.
var businessID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// AsReader calls fn in a transaction that can read and nothing else, sees one
// moment of the database, and sees of the read models the rows of this business
// only. The search path is schema read. Beginning costs one round trip.
func AsReader(ctx context.Context, pool *pgxpool.Pool, business string, fn func(pgx.Tx) error) error {
	if !businessID.MatchString(business) {
		return fmt.Errorf("database: %q is no id of a business", business)
	}
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;" +
		"SET LOCAL ROLE portal_reader;" +
		"SET LOCAL search_path = read;" +
		"SET LOCAL portal.business = '" + business + "'"
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{BeginQuery: begin}, fn)
}
