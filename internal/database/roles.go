package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Roles belong to the whole cluster, while advisory locks belong to a database:
// two portals on one cluster can make a role, or become its member, at the same
// moment. Whoever comes second sees one of these and looks again.
var lostRace = map[string]bool{
	"42710": true, // duplicate_object
	"23505": true, // unique_violation, in the catalogue
	"XX000": true, // tuple concurrently updated
}

const raceAttempts = 5

// EnsureRole makes the role where it is missing, and the current user a member
// of it where they are not. A user without the right to do so is no problem
// where both is done already.
func EnsureRole(ctx context.Context, conn *pgx.Conn, role string) error {
	var err error
	for range raceAttempts {
		if err = tryEnsureRole(ctx, conn, role); err == nil {
			return nil
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || !lostRace[refused.Code] {
			break
		}
	}
	return fmt.Errorf("role %s (the user needs CREATEROLE, or an administrator makes the role and grants it): %w", role, err)
}

func tryEnsureRole(ctx context.Context, conn *pgx.Conn, role string) error {
	var exists bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists)
	if err != nil {
		return err
	}
	if !exists {
		if _, err := conn.Exec(ctx, `CREATE ROLE `+role+` NOLOGIN`); err != nil {
			return err
		}
	}
	var member bool
	err = conn.QueryRow(ctx, `SELECT pg_has_role(current_user, $1, 'USAGE')`, role).Scan(&member)
	if err != nil || member {
		return err
	}
	_, err = conn.Exec(ctx, `GRANT `+role+` TO CURRENT_USER`)
	return err
}
