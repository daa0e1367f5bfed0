package exporting

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

var (
	// ErrNoTable says that no live read model has a table of the name.
	ErrNoTable = errors.New("there is no such table of a read model")

	// ErrNoOrder says that a table has no key by which its rows can be ordered.
	ErrNoOrder = errors.New("its rows have no order to be exported in")

	// ErrKey says that a key is not one of the table's.
	ErrKey = errors.New("not a key of the table")
)

// Table is a table of a live read model, as it is exported.
type Table struct {
	Name       string
	Projection string
	Version    int
	Moment     Moment   // up to which its rows are complete; Position is the caller's to fill in
	Commit     uint64   // position of that moment, as is Prepare
	Prepare    uint64   //
	Columns    []Column // of which rows have values
	LeftOut    []string // columns that are personal
	Key        []string // columns that rows are ordered by, and told apart

	schema string
	values []string // expressions of the columns
	types  []string // of the key's columns
}

// Row is a row of a table. Key finds its place again, and is text.
type Row struct {
	Values []any
	Key    []string
}

// Tables lists the tables of live read models, as tx sees them.
func Tables(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT name FROM (`+liveTables+`) AS live ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// liveTables finds the tables beneath the views that requests read. An export
// reads the tables, because its transaction is long: views that it had read could
// not be replaced meanwhile, and the next version would have to wait.
const liveTables = `
	SELECT v.relname::text AS name, substr(obj_description(v.oid, 'pg_class'), length('projection ') + 1) AS projection,
	       n.nspname::text AS schema, t.oid AS id
	FROM pg_class v
	JOIN pg_rewrite r ON r.ev_class = v.oid
	JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
	JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
	JOIN pg_namespace n ON n.oid = t.relnamespace
	WHERE v.relnamespace = 'read'::regnamespace AND v.relkind = 'v'
	  AND obj_description(v.oid, 'pg_class') LIKE 'projection %'`

// Find describes a table of a live read model. Personal columns are among its
// columns where personal says so, and left out otherwise.
func Find(ctx context.Context, tx pgx.Tx, name string, personal bool, disclosed Disclosed) (*Table, error) {
	t := &Table{Name: name}
	var id uint32
	err := tx.QueryRow(ctx, `
		SELECT live.projection, schema, id, version, as_of, commit_position, prepare_position
		FROM (SELECT DISTINCT * FROM (`+liveTables+`) AS named WHERE name = $1) AS live
		JOIN read.freshness USING (projection)`, name).
		Scan(&t.Projection, &t.schema, &id, &t.Version, &t.Moment.AsOf, &t.Commit, &t.Prepare)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoTable
	}
	if err != nil {
		return nil, err
	}
	t.Moment.AsOf = t.Moment.AsOf.UTC()
	columns, err := columnsOf(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		if !personal && !c.open(name, disclosed) {
			t.LeftOut = append(t.LeftOut, c.Name)
			continue
		}
		t.Columns = append(t.Columns, Column{c.Name, kindOf(c.Type)})
		t.values = append(t.values, c.expression())
	}
	if err := t.order(columns); err != nil {
		return nil, err
	}
	for _, key := range t.Key {
		if slices.Contains(t.LeftOut, key) {
			return nil, fmt.Errorf("table %s: %w", name, ErrPersonal)
		}
	}
	return t, nil
}

// stored is a column as Postgres knows it.
type stored struct {
	Name  string
	Type  string
	InKey *int // its place in the primary key
}

func columnsOf(ctx context.Context, tx pgx.Tx, id uint32) ([]stored, error) {
	rows, err := tx.Query(ctx, `
		SELECT a.attname::text, format_type(a.atttypid, NULL), array_position(i.indkey::int2[], a.attnum)
		FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[stored])
}

// order orders the rows by the primary key. Tables to which a row is added for
// each event may have none: an event is told apart by its stream and revision.
func (t *Table) order(columns []stored) error {
	var key []stored
	for _, c := range columns {
		if c.InKey != nil {
			key = append(key, c)
		}
	}
	slices.SortFunc(key, func(a, b stored) int { return *a.InKey - *b.InKey })
	if len(key) == 0 {
		for _, name := range []string{"_position", "_stream", "_revision"} {
			i := slices.IndexFunc(columns, func(c stored) bool { return c.Name == name })
			if i < 0 {
				return fmt.Errorf("table %s has no primary key and no %s: %w", t.Name, name, ErrNoOrder)
			}
			key = append(key, columns[i])
		}
	}
	for _, c := range key {
		t.Key, t.types = append(t.Key, c.Name), append(t.types, c.Type)
	}
	return nil
}

// kindOf is what values of a Postgres type are exported as. What has no kind of
// its own is text, such as numeric, which is exact in no other one.
func kindOf(postgres string) Kind {
	switch postgres {
	case "smallint", "integer", "bigint":
		return Integer
	case "real", "double precision":
		return Float
	case "boolean":
		return Boolean
	case "timestamp with time zone", "timestamp without time zone":
		return Timestamp
	case "date":
		return Date
	case "json", "jsonb":
		return JSON
	}
	return Text
}

// expression selects the column as a type that its kind is made of.
func (c stored) expression() string {
	name := pgx.Identifier{c.Name}.Sanitize()
	switch c.Type {
	case "timestamp without time zone":
		return name + " AT TIME ZONE 'UTC'"
	case "json":
		return name + "::jsonb::text" // on one line
	}
	switch kindOf(c.Type) {
	case Integer:
		return name + "::bigint"
	case Float:
		return name + "::double precision"
	case Text, JSON:
		return name + "::text"
	default:
		return name
	}
}

// Count is how many rows Read has to read.
func (t *Table) Count(ctx context.Context, tx pgx.Tx, business string, after []string) (n int64, err error) {
	condition, args, err := t.condition(business, after)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, "SELECT count(*) FROM "+t.identifier()+condition, args...).Scan(&n)
	return n, err
}

// identifier also names the table t: what rows are ordered by are its columns, and
// not the texts that are selected.
func (t *Table) identifier() string { return pgx.Identifier{t.schema, t.Name}.Sanitize() + " AS t" }

// condition chooses the rows of a business after a key. That it is only those of
// the business is a matter of row-level security too.
func (t *Table) condition(business string, after []string) (string, []any, error) {
	condition, args := " WHERE business_id::text = $1::text", []any{business}
	if len(after) == 0 {
		return condition, args, nil
	}
	if len(after) != len(t.Key) {
		return "", nil, fmt.Errorf("%w %s, which has %d parts", ErrKey, t.Name, len(t.Key))
	}
	places := make([]string, len(after))
	for i, part := range after {
		args = append(args, part)
		places[i] = fmt.Sprintf("$%d::text::%s", i+2, t.types[i])
	}
	return fmt.Sprintf("%s AND (%s) > (%s)", condition, t.keyColumns(), strings.Join(places, ", ")), args, nil
}

func (t *Table) keyColumns() string {
	names := make([]string, len(t.Key))
	for i, name := range t.Key {
		names[i] = pgx.Identifier{"t", name}.Sanitize()
	}
	return strings.Join(names, ", ")
}

// fetched is how many rows Postgres is asked for at a time.
const fetched = 1000

// Read reads the rows of a business after a key, in the order of their keys, at
// most limit of them where that is not 0. No more than one row is in memory. One
// Read at a time can be made in a transaction.
func (t *Table) Read(ctx context.Context, tx pgx.Tx, business string, after []string, limit int) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		err := t.declare(ctx, tx, business, after, limit)
		n, stopped := fetched, false
		for err == nil && !stopped && n == fetched {
			n, stopped, err = t.fetch(ctx, tx, yield)
		}
		if err == nil {
			_, err = tx.Exec(ctx, "CLOSE export")
		}
		if err != nil && !stopped {
			yield(Row{}, err)
		}
	}
}

func (t *Table) declare(ctx context.Context, tx pgx.Tx, business string, after []string, limit int) error {
	condition, args, err := t.condition(business, after)
	if err != nil {
		return err
	}
	selected := slices.Clone(t.values)
	for _, name := range t.Key {
		selected = append(selected, pgx.Identifier{name}.Sanitize()+"::text")
	}
	sql := fmt.Sprintf("DECLARE export NO SCROLL CURSOR FOR SELECT %s FROM %s%s ORDER BY %s",
		strings.Join(selected, ", "), t.identifier(), condition, t.keyColumns())
	if limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", limit)
	}
	// Not prepared: the name of the cursor is that of another query each time.
	_, err = tx.Exec(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	return err
}

func (t *Table) fetch(ctx context.Context, tx pgx.Tx, yield func(Row, error) bool) (n int, stopped bool, err error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("FETCH FORWARD %d FROM export", fetched), pgx.QueryExecModeExec)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for rows.Next() {
		n++
		values, err := rows.Values()
		if err != nil {
			return n, false, err
		}
		row := Row{Values: values[:len(t.Columns)], Key: make([]string, len(t.Key))}
		for i := range row.Key {
			row.Key[i], _ = values[len(t.Columns)+i].(string) // a key is not null, and selected as text
		}
		if !yield(row, nil) {
			return n, true, nil
		}
	}
	return n, false, rows.Err()
}
