package compare

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/internal/database"
	"portal.example/projections/runner"
)

// History is events in the order of the log, as projections get them. Sealed,
// where it is set, are the same without their personal fields.
type History struct {
	Events []eventstore.Decoded
	Sealed []eventstore.Decoded
}

// Without is the history less the events at these places of it.
func (h History) Without(places ...int) History {
	gone := make(map[int]bool, len(places))
	for _, i := range places {
		gone[i] = true
	}
	return History{Events: except(h.Events, gone), Sealed: except(h.Sealed, gone)}
}

func except(events []eventstore.Decoded, gone map[int]bool) []eventstore.Decoded {
	if events == nil {
		return nil
	}
	left := make([]eventstore.Decoded, 0, len(events))
	for i := range events {
		if !gone[i] {
			left = append(left, events[i])
		}
	}
	return left
}

// sealed is the history without its personal fields, as far as that is known.
func (h History) sealed() History { return History{Events: h.Sealed, Sealed: h.Sealed} }

// of is what the projection gets of the history.
func (h History) of(p runner.Projection) []eventstore.Decoded {
	events := h.Events
	if _, sealed := p.(runner.Sealed); sealed && h.Sealed != nil {
		events = h.Sealed
	}
	wanted := make([]eventstore.Decoded, 0, len(events))
	for _, d := range events {
		if wants(p, d.Record.Type) {
			wanted = append(wanted, d)
		}
	}
	return wanted
}

// Scratch is a projection's tables, empty, in a transaction that is never
// committed. Nobody else sees them, and nothing is left of them. It is for one
// goroutine.
type Scratch struct {
	projection runner.Projection
	conn       *pgx.Conn
	tx         pgx.Tx
	schema     string
	tables     map[string]*table
}

// OpenScratch makes the tables, over a connection of their own.
func OpenScratch(ctx context.Context, pool *pgxpool.Pool, p runner.Projection) (*Scratch, error) {
	conn, err := database.Dedicated(ctx, pool, "portal refold")
	if err != nil {
		return nil, err
	}
	s := &Scratch{projection: p, conn: conn, schema: "refold_" + strings.ToLower(rand.Text())}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("compare: tables of %s version %d: %w", p.Name(), p.Version(), err), s.Close(ctx))
	}
	return s, nil
}

func (s *Scratch) open(ctx context.Context) (err error) {
	if s.tx, err = s.conn.Begin(ctx); err != nil {
		return err
	}
	for _, statement := range []string{"CREATE SCHEMA " + ident(s.schema), s.path(), s.projection.Schema()} {
		if _, err := s.tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	s.tables, err = tablesOf(ctx, s.tx, s.schema)
	return err
}

func (s *Scratch) path() string { return "SET LOCAL search_path = " + ident(s.schema) }

// Close takes the tables away.
func (s *Scratch) Close(ctx context.Context) error {
	return s.conn.Close(context.WithoutCancel(ctx)) // ends the transaction as well
}

// Fold applies the history to the empty tables, has look see them, and empties
// them again. As in the runner, an event that cannot be applied holds back what
// follows in its stream; these streams are returned with their errors.
func (s *Scratch) Fold(ctx context.Context, h History, look func(pgx.Tx) error) (held map[string]error, err error) {
	tx, err := s.tx.Begin(ctx) // a savepoint
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer func() {
		if rollback := tx.Rollback(context.WithoutCancel(ctx)); err == nil && rollback != nil {
			err = fmt.Errorf("compare: %w", rollback)
		}
	}()
	if _, err := tx.Exec(ctx, s.path()); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	f := folding{scratch: s, held: make(map[string]error)}
	if err := f.apply(ctx, tx, h.of(s.projection)); err != nil {
		return nil, fmt.Errorf("compare: folding: %w", err)
	}
	return f.held, look(tx)
}

// folding is one application of a history.
type folding struct {
	scratch *Scratch
	held    map[string]error
}

// apply applies the events, and where that fails its halves, until the event at
// fault is found.
func (f *folding) apply(ctx context.Context, tx pgx.Tx, events []eventstore.Decoded) error {
	events = f.sift(events)
	if len(events) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error { return f.call(ctx, savepoint, events) })
	switch {
	case err == nil:
		return nil
	case !f.blames(ctx, err):
		return err
	case len(events) == 1:
		f.held[events[0].Record.Stream] = err
		return nil
	}
	middle := len(events) / 2
	if err := f.apply(ctx, tx, events[:middle]); err != nil {
		return err
	}
	return f.apply(ctx, tx, events[middle:])
}

func (f *folding) sift(events []eventstore.Decoded) []eventstore.Decoded {
	good := make([]eventstore.Decoded, 0, len(events))
	for _, d := range events {
		switch _, held := f.held[d.Record.Stream]; {
		case held:
		case d.Err != nil:
			f.held[d.Record.Stream] = d.Err
		default:
			good = append(good, d)
		}
	}
	return good
}

func (f *folding) call(ctx context.Context, tx pgx.Tx, events []eventstore.Decoded) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f.scratch.projection.Apply(ctx, tx, events)
}

// blames says whether an event is at fault, and not Postgres or its absence.
func (f *folding) blames(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !f.scratch.conn.IsClosed() && !database.Away(err) && !pgconn.Timeout(err)
}

// Refold folds a history and returns all rows by table, in no order.
func Refold(ctx context.Context, pool *pgxpool.Pool, p runner.Projection, h History) (map[string][]Row, error) {
	s, err := OpenScratch(ctx, pool, p)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]Row)
	_, err = s.Fold(ctx, h, func(tx pgx.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(s.tables)) {
			rows, err := tx.Query(ctx, "SELECT to_jsonb(r.*) FROM "+s.tables[name].sql()+" r")
			if err != nil {
				return err
			}
			if all[name], err = pgx.CollectRows(rows, scanRow); err != nil {
				return err
			}
		}
		return nil
	})
	return all, errors.Join(err, s.Close(ctx))
}

func scanRow(row pgx.CollectableRow) (r Row, err error) {
	var encoded []byte
	if err := row.Scan(&encoded); err != nil {
		return nil, err
	}
	err = decodeRow(encoded, &r)
	return r, err
}

// target is a row to look for: by its key, or else by what it says.
type target struct {
	table   string
	key     Row
	content Row      // where there is no key: all columns but _position
	columns []string // that are compared
}

// times is the column of the row that stands for all rows with a content.
const times = "(rows)"

// row is the row of the target as the history makes it, nil if it makes none.
func (s *Scratch) row(ctx context.Context, h History, t target) (found Row, held map[string]error, err error) {
	table := s.tables[t.table]
	if table == nil {
		return nil, nil, nil
	}
	conditions, args := t.conditions(table)
	held, err = s.Fold(ctx, h, func(tx pgx.Tx) error {
		selection := "to_jsonb(r.*)"
		if len(t.key) == 0 {
			selection = "jsonb_build_object('" + times + "', count(*))"
		}
		rows, err := tx.Query(ctx, "SELECT "+selection+" FROM "+table.sql()+" r WHERE "+conditions, args...)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, scanRow)
		if err == nil && len(list) > 0 && string(list[0][times]) != "0" {
			found = list[0]
		}
		return err
	})
	return found, held, err
}

// conditions find the row in the table, which may be of another version than
// the target.
func (t target) conditions(table *table) (string, []any) {
	values := t.key
	if len(values) == 0 {
		values = t.content
	}
	var conditions []string
	var args []any
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, known := table.column(name); known {
			args = append(args, string(values[name]))
			conditions = append(conditions, fmt.Sprintf("coalesce(to_jsonb(r.%s), 'null') = $%d::text::jsonb", ident(name), len(args)))
		}
	}
	if len(conditions) == 0 {
		return "false", nil
	}
	return strings.Join(conditions, " AND "), args
}
