package database

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Away tells a database that cannot be reached from one that refuses.
func Away(err error) bool {
	var connecting *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code[:min(2, len(answer.Code))] { // SQLSTATE's classes, appendix A of Postgres's manual
	case "08", "53", "57": // connection, resources, intervention by the operator
		return true
	}
	return false
}
