package compare

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// table is one of a build's tables as the catalogue describes it.
type table struct {
	schema, name string
	columns      []column
	key          []string // of its primary key or a unique constraint; none where nothing tells rows apart
}

type column struct {
	name      string
	typ       string // as SQL writes it
	category  string // pg_type.typcategory
	collation string // the one it sorts by, "" where it does not
}

// tablesOf describes the tables of a schema by their names. What the reader of
// the transaction may not see in the catalogue is not there.
func tablesOf(ctx context.Context, db Querier, schema string) (map[string]*table, error) {
	rows, err := db.Query(ctx, `
		SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), t.typcategory::text,
		       coalesce(l.collname::text, ''), coalesce(array_position(k.attnums, a.attnum), 0)
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_collation l ON l.oid = a.attcollation
		LEFT JOIN LATERAL (
			SELECT conkey AS attnums FROM pg_constraint
			WHERE conrelid = c.oid AND (contype = 'p' OR contype = 'u' AND NOT condeferrable AND NOT EXISTS (
				SELECT FROM pg_attribute n WHERE n.attrelid = c.oid AND n.attnum = ANY (conkey) AND NOT n.attnotnull))
			ORDER BY contype, cardinality(conkey), conname LIMIT 1
		) k ON true
		WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
		  AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		ORDER BY c.relname, a.attnum`, schema)
	if err != nil {
		return nil, fmt.Errorf("compare: tables of %s: %w", schema, err)
	}
	tables := make(map[string]*table)
	keys := make(map[string]map[int]string)
	var name string
	var col column
	var place int
	_, err = pgx.ForEachRow(rows, []any{&name, &col.name, &col.typ, &col.category, &col.collation, &place}, func() error {
		if tables[name] == nil {
			tables[name], keys[name] = &table{schema: schema, name: name}, make(map[int]string)
		}
		tables[name].columns = append(tables[name].columns, col)
		if place > 0 {
			keys[name][place] = col.name
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare: tables of %s: %w", schema, err)
	}
	for name, t := range tables {
		for i := 1; i <= len(keys[name]); i++ {
			t.key = append(t.key, keys[name][i])
		}
	}
	return tables, nil
}

func (t *table) column(name string) (column, bool) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}, false
	}
	return t.columns[i], true
}

func (t *table) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// positionColumn says where a row is from, not what it says.
const positionColumn = "_position"

// common is a column that both of two tables have, with the expressions that
// make its values comparable.
type common struct {
	column
	cast    string // of either side, "" for none
	collate string
}

// commonColumn says how to compare two columns of one name.
func commonColumn(was, is column) common {
	c := common{column: is}
	switch {
	case was.typ != is.typ && was.category == "N" && is.category == "N":
		c.cast = "::numeric"
	case was.typ != is.typ:
		c.cast = "::text"
	case is.typ == "json":
		c.cast = "::jsonb"
	case is.category == "G" || is.typ == "xml": // Postgres knows no equality of them
		c.cast = "::text"
	}
	if was.collation != is.collation || c.cast == "::text" {
		c.collate = ` COLLATE "C"`
	}
	return c
}

// in is the column's value as an expression, in the table of that alias.
func (c common) in(alias string) string {
	return "(" + alias + "." + ident(c.name) + ")" + c.cast + c.collate
}
