package database

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout = 5 * time.Second

	// The limits of a statement on behalf of a request. Whoever needs longer,
	// such as a projection, has a connection of its own: see Dedicated.
	statementTimeout = 10 * time.Second
	lockTimeout      = 5 * time.Second
	idleInTxTimeout  = 10 * time.Second
)

// Open returns a pool of connections for requests. It does not connect, so that
// a program starts whether or not Postgres is up; pgxpool connects anew by
// itself after Postgres was away.
//
// The pool has as many connections as pool_max_conns in the URL says; by
// default eight, or four for each processor where that is more. An error does
// not show the URL, which may hold a password.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, unreadable(err)
	}
	if named, _ := pgx.ParseConfig(url); named == nil || named.RuntimeParams["pool_max_conns"] == "" {
		cfg.MaxConns = max(cfg.MaxConns, 8, int32(4*runtime.NumCPU()))
	}
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 15 * time.Second
	if cfg.ConnConfig.ConnectTimeout == 0 || cfg.ConnConfig.ConnectTimeout > connectTimeout {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	limit(cfg.ConnConfig, "portal", statementTimeout, lockTimeout, idleInTxTimeout)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return pool, nil
}

// unreadable drops the part of the error that repeats the URL.
func unreadable(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("database: the URL cannot be read; it looks like postgres://user:password@host:5432/name")
	}
	return fmt.Errorf("database: %w", err)
}

// Beside opens a pool of its own to the pool's database, for work that neither
// waits for the connections of requests nor takes them away. It has at most
// conns connections, none before they are needed, and its statements may take a
// minute. name is seen in pg_stat_activity.
func Beside(ctx context.Context, pool *pgxpool.Pool, name string, conns int32) (*pgxpool.Pool, error) {
	cfg := pool.Config() // a copy
	cfg.MinConns, cfg.MaxConns = 0, conns
	limit(cfg.ConnConfig, name, time.Minute, lockTimeout, idleInTxTimeout)
	beside, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return beside, nil
}

// Dedicated makes a connection to the pool's database outside of the pool, for
// a session that lasts, under the role that it begins with. Its statements may
// take a minute. name is seen in pg_stat_activity.
func Dedicated(ctx context.Context, pool *pgxpool.Pool, name string) (*pgx.Conn, error) {
	cfg := pool.Config().ConnConfig.Copy()
	limit(cfg, name, time.Minute, lockTimeout, idleInTxTimeout)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	conn.PgConn().CustomData()[dedicated] = true
	return conn, nil
}

// Watched makes a dedicated connection that Postgres ends, with the locks that it
// holds, once nothing has been heard over it for as long as silence: a process
// that hangs must not keep what another could take over.
func Watched(ctx context.Context, pool *pgxpool.Pool, name string, silence time.Duration) (*pgx.Conn, error) {
	conn, err := Dedicated(ctx, pool, name)
	if err != nil {
		return nil, err
	}
	// The kernel answers keepalives for a process that hangs; only the limit on
	// idle sessions notices that one.
	_, err = conn.Exec(ctx, fmt.Sprintf(`
		SET idle_session_timeout = %[1]d;
		SET tcp_keepalives_idle = 3;
		SET tcp_keepalives_interval = 1;
		SET tcp_keepalives_count = 3;
		SET tcp_user_timeout = %[1]d`, silence.Milliseconds()))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), conn.Close(ctx))
	}
	return conn, nil
}

// dedicated marks connections about which something can be remembered.
const dedicated = "dedicated"

func limit(cfg *pgx.ConnConfig, name string, statement, lock, idleInTx time.Duration) {
	for setting, value := range map[string]string{
		"application_name":                    name,
		"timezone":                            "UTC",
		"statement_timeout":                   milliseconds(statement),
		"lock_timeout":                        milliseconds(lock),
		"idle_in_transaction_session_timeout": milliseconds(idleInTx),
	} {
		cfg.RuntimeParams[setting] = value
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
