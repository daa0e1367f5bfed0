package readapi

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/internal/api"
	"portal.example/internal/database"
)

// reader is one look into the read models of one business, all of it at one
// moment. Queries are queued and asked at once.
type reader struct {
	who     api.Principal
	readers *database.Readers
	batch   pgx.Batch
	begun   pgx.Tx // nil until a question depends on an answer
}

// queue asks a query with the next flush; scan gets its rows.
func (r *reader) queue(scan func(pgx.Rows) error, sql string, args ...any) {
	r.batch.Queue(sql, args...).Query(scan)
}

// flush asks what is queued, in one round trip, where the next questions depend
// on the answers.
func (r *reader) flush(ctx context.Context) error {
	tx, err := r.tx(ctx)
	if err != nil {
		return err
	}
	err = tx.SendBatch(ctx, &r.batch).Close()
	r.batch = pgx.Batch{}
	return err
}

// tx is the moment at which everything is asked.
func (r *reader) tx(ctx context.Context) (_ pgx.Tx, err error) {
	if r.begun == nil {
		r.begun, err = r.readers.Begin(ctx, r.who.Business)
	}
	return r.begun, err
}

// end asks what is still queued. All of a look without dependent questions is
// asked here.
func (r *reader) end(ctx context.Context) error {
	switch {
	case r.batch.Len() == 0:
		return nil
	case r.begun == nil:
		return r.readers.Ask(ctx, r.who.Business, &r.batch)
	default:
		return r.flush(ctx)
	}
}

func (r *reader) close(ctx context.Context) {
	if r.begun != nil {
		_ = r.begun.Rollback(ctx) // nothing was written, and the pool drops a connection that it failed on
	}
}

// read answers from the read models named, after they have come to the position
// that the request waits for. The moment it returns is the one up to which all
// of them are complete.
func (d Deps) read(ctx context.Context, w api.Waiting, models []string, fn func(*reader) error) (api.AsOf, error) {
	who, ok := api.PrincipalFrom(ctx)
	if !ok {
		return api.AsOf{}, errors.New("readapi: a route without a principal")
	}
	awaited := models
	if who.IsCustomer() { // what they may see is in the contacts
		awaited = append(slices.Clip(models), "customers")
	}
	if err := d.wait(ctx, w, awaited); err != nil {
		return api.AsOf{}, err
	}
	var asOf *time.Time
	err := d.look(ctx, who, func(r *reader) error {
		r.queue(one(&asOf), `
			SELECT CASE WHEN count(*) = cardinality($1::text[]) THEN min(as_of) END
			FROM freshness WHERE projection = ANY ($1)`, models)
		return fn(r)
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == undefinedColumn) {
		return api.AsOf{}, api.Unready("not_built", "the next version of the read model is being built")
	}
	if err != nil {
		return api.AsOf{}, err
	}
	if asOf == nil {
		return api.AsOf{}, api.Unready("not_built", "the read model is being built for the first time")
	}
	return api.AsOfTime(*asOf), nil
}

// look lets fn ask, all of it at one moment.
func (d Deps) look(ctx context.Context, who api.Principal, fn func(*reader) error) error {
	r := &reader{who: who, readers: d.Readers}
	defer r.close(ctx)
	if err := fn(r); err != nil {
		return err
	}
	return r.end(ctx)
}

// Postgres's codes for what a query finds missing while the version of a read model
// is live that came before the table or the column.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// patience is how long a request waits for the position that it names.
const patience = 2 * time.Second

func (d Deps) wait(ctx context.Context, w api.Waiting, models []string) error {
	position, named, err := w.WaitFor()
	if err != nil || !named {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, model := range models {
		err := d.Runner.WaitFor(bounded, model, position)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return api.Unready("not_yet",
				"the answer does not contain the Portal-Position yet; ask again, or without it for what there is")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func notFound(what string) error { return huma.Error404NotFound("there is no such " + what) }

// one scans the only row of a query, if there is one, into a variable.
func one[T any](into *T) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		value, err := pgx.CollectOneRow(rows, pgx.RowTo[T])
		if err == nil || errors.Is(err, pgx.ErrNoRows) {
			*into = value
			return nil
		}
		return err
	}
}

// record scans the only row of a query, if there is one; else into stays nil.
func record[R any](into **R) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		row, err := pgx.CollectOneRow(rows, pgx.RowToAddrOfStructByName[R])
		if err == nil {
			*into = row
			return nil
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	}
}

// records scans all rows of a query.
func records[R any](into *[]R) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, pgx.RowToStructByName[R])
		return err
	}
}
