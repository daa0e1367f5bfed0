// Package table moves the rows of read models between Go and Postgres, a set
// at a time: a projection loads the rows that its batch is about, folds the
// batch into them in memory, and stores what it has touched.
package table

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Origin is where a row comes from. Every row embeds it.
type Origin struct {
	Business string `db:"business_id"`
	Stream   string `db:"_stream"`
	Position int64  `db:"_position"` // commit position of the event that changed the row last
}

// Table is a table whose rows are R, a struct whose exported fields are the
// columns: tagged `db:"column"`, and `pg:"jsonb"` or `pg:"date"` where a string
// holds a value of another type.
type Table[R any] struct {
	load, store string
	columns     []column
}

type column struct {
	name   string
	array  string // type of the array that carries the column's values
	cast   string // from the array's elements to the column, "" for none
	goType reflect.Type
	index  []int
}

// New describes a table. The first column of the primary key is what rows are
// loaded by.
func New[R any](name string, primaryKey ...string) *Table[R] {
	t := &Table[R]{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[R]()) {
		if field.Anonymous || !field.IsExported() {
			continue
		}
		t.columns = append(t.columns, column{
			name: field.Tag.Get("db"), array: arrayOf(field.Type), cast: field.Tag.Get("pg"),
			goType: field.Type, index: field.Index,
		})
	}
	var names, reads, writes, arrays, updates []string
	for i, c := range t.columns {
		names = append(names, c.name)
		read, write := c.name, c.name
		if c.cast != "" {
			read, write = c.name+"::text", c.name+"::"+c.cast
		}
		reads, writes = append(reads, read), append(writes, write)
		arrays = append(arrays, fmt.Sprintf("$%d::%s", i+1, c.array))
		updates = append(updates, fmt.Sprintf("%[1]s = excluded.%[1]s", c.name))
	}
	all := strings.Join(names, ", ")
	t.load = fmt.Sprintf("SELECT %s FROM %s WHERE %s = ANY ($1)", strings.Join(reads, ", "), name, primaryKey[0])
	t.store = fmt.Sprintf(
		"INSERT INTO %s (%s) SELECT %s FROM unnest(%s) AS new (%s) ON CONFLICT (%s) DO UPDATE SET %s",
		name, all, strings.Join(writes, ", "), strings.Join(arrays, ", "), all,
		strings.Join(primaryKey, ", "), strings.Join(updates, ", "))
	return t
}

// arrayOf is the Postgres type for many values of a Go type. That another type
// cannot be stored is found by the first test of whoever tries.
func arrayOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[string](), reflect.TypeFor[*string]():
		return "text[]"
	case reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[*int64]():
		return "bigint[]"
	case reflect.TypeFor[bool]():
		return "boolean[]"
	case reflect.TypeFor[*time.Time]():
		return "timestamptz[]"
	}
	panic(fmt.Sprintf("table: a column cannot be of type %s", t))
}

// Load reads the rows whose first key column is one of the ids.
func (t *Table[R]) Load(ctx context.Context, tx pgx.Tx, ids []string) ([]*R, error) {
	rows, err := tx.Query(ctx, t.load, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[R])
}

// Store inserts the rows, or puts them in the place of those with their keys.
// No two of them may have the same key.
func (t *Table[R]) Store(ctx context.Context, tx pgx.Tx, rows []*R) error {
	if len(rows) == 0 {
		return nil
	}
	arrays := make([]any, len(t.columns))
	for i, c := range t.columns {
		array := reflect.MakeSlice(reflect.SliceOf(c.goType), len(rows), len(rows))
		for j, row := range rows {
			array.Index(j).Set(reflect.ValueOf(row).Elem().FieldByIndex(c.index))
		}
		arrays[i] = array.Interface()
	}
	_, err := tx.Exec(ctx, t.store, arrays...)
	return err
}

// Time is a time as a column holds it: null for none, and as finely as Postgres
// counts, so that a row reads back as it was written.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	return &t
}
