package database

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// businessID is every id that can stand between quotes as it is.
var businessID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// ReaderName is what the connections of readers are called in pg_stat_activity.
const ReaderName = "portal reader"

// Readers are connections that can read and nothing else, and see of the read
// models the rows of one business at a time. They are apart from those that
// write, so that the role and the search path, which is schema read, are set
// once for a connection and not for each look.
type Readers struct{ pool *pgxpool.Pool }

// NewReaders returns readers of the pool's database, as many at most as the pool
// has connections. Like Open it does not connect.
func NewReaders(ctx context.Context, pool *pgxpool.Pool) (*Readers, error) {
	cfg := pool.Config()
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = ReaderName
	params["search_path"] = "read"
	params["default_transaction_read_only"] = "on"
	params["default_transaction_isolation"] = "repeatable read" // all of a look is at one moment
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET ROLE "+ReaderRole)
		return err
	}
	readers, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return &Readers{readers}, nil
}

// Close waits for the looks in progress and closes the connections.
func (r *Readers) Close() { r.pool.Close() }

// Ask asks all questions for the business at one moment of the database, in one
// round trip. Their callbacks have run when it returns.
func (r *Readers) Ask(ctx context.Context, business string, questions *pgx.Batch) error {
	if err := checkBusiness(business); err != nil {
		return err
	}
	// What is sent together is one transaction, with whose end the setting goes.
	look := &pgx.Batch{}
	look.Queue(`SELECT set_config('portal.business', $1, true)`, business)
	look.QueuedQueries = append(look.QueuedQueries, questions.QueuedQueries...)
	return r.pool.SendBatch(ctx, look).Close()
}

// Begin starts a look at one moment of the database for questions that depend on
// earlier answers. It costs a round trip. Whoever began rolls back.
func (r *Readers) Begin(ctx context.Context, business string) (pgx.Tx, error) {
	if err := checkBusiness(business); err != nil {
		return nil, err
	}
	return r.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL portal.business = '" + business + "'"})
}

// Long is Begin for work that lasts, such as an export: over a connection of its
// own, which requests do not wait for, with limits of ten minutes for a statement
// and between two of them. Postgres keeps what the moment can see for as long.
// end rolls back and closes the connection.
func (r *Readers) Long(ctx context.Context, business, name string) (tx pgx.Tx, end func(), err error) {
	if err := checkBusiness(business); err != nil {
		return nil, nil, err
	}
	pooled := r.pool.Config()
	cfg := pooled.ConnConfig.Copy()
	limit(cfg, name, longLimit, lockTimeout, longLimit)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("database: %w", err)
	}
	end = func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_ = conn.Close(bye) // which rolls back
	}
	if err = pooled.AfterConnect(ctx, conn); err == nil {
		tx, err = conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL portal.business = '" + business + "'"})
	}
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("database: %w", err)
	}
	return tx, end, nil
}

const longLimit = 10 * time.Minute

func checkBusiness(id string) error {
	if !businessID.MatchString(id) {
		return fmt.Errorf("database: %q is no id of a business", id)
	}
	return nil
}
