package compare

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotFound says that there is no such projection, table or row; ErrBadKey,
// that a key does not fit its table, or fits several rows.
var (
	ErrNotFound = errors.New("not found")
	ErrBadKey   = errors.New("bad key")
)

// maxKey bounds a key's text.
const maxKey = 1000

// Key names a row of a live read model.
type Key struct {
	Projection string
	Table      string
	// Row is the values of the table's key, separated by commas as in CSV, or
	// column=value pairs that fit one row.
	Row string
}

// find reads the one row that the key fits.
func (t *table) find(ctx context.Context, db Querier, key string) (Row, error) {
	values, err := t.parse(key)
	if err != nil {
		return nil, err
	}
	var conditions []string
	var args []any
	for _, name := range slices.Sorted(maps.Keys(values)) {
		c, _ := t.column(name)
		args = append(args, values[name])
		conditions = append(conditions, fmt.Sprintf("r.%s = $%d::text::%s", ident(name), len(args), c.typ))
	}
	rows, err := db.Query(ctx, "SELECT to_jsonb(r.*) FROM "+t.sql()+" r WHERE "+strings.Join(conditions, " AND ")+" LIMIT 2", args...)
	var found []Row
	if err == nil {
		found, err = pgx.CollectRows(rows, scanRow)
	}
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && (refused.Code[:2] == "22" || refused.Code == "42883"): // not of the column's type, or of one without equality
		return nil, fmt.Errorf("%w: a value is not of its column's type", ErrBadKey)
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("%w: there is no such row in %s", ErrNotFound, t.name)
	case len(found) > 1:
		return nil, fmt.Errorf("%w: it fits several rows of %s", ErrBadKey, t.name)
	}
	return found[0], nil
}

// parse reads a key as values of the table's columns.
func (t *table) parse(key string) (map[string]string, error) {
	fields, err := csv.NewReader(strings.NewReader(key)).Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrBadKey, t.keyHelp())
	}
	values := make(map[string]string)
	for _, field := range fields {
		name, value, named := strings.Cut(field, "=")
		if _, known := t.column(name); named && known {
			values[name] = value
		}
	}
	if len(values) == len(fields) {
		return values, nil
	}
	if len(values) > 0 || len(fields) != len(t.key) {
		return nil, fmt.Errorf("%w: %s", ErrBadKey, t.keyHelp())
	}
	for i, name := range t.key {
		values[name] = fields[i]
	}
	return values, nil
}

func (t *table) keyHelp() string {
	if len(t.key) == 0 {
		return "rows of " + t.name + " are named by column=value,…"
	}
	return "a row of " + t.name + " is named by its " + strings.Join(t.key, ",") + ", or by column=value,…"
}
