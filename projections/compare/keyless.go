package compare

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Rows that no key tells apart are compared by how often each is there. Sorting
// whole rows would take a table's size of disk; two 64-bit hashes of a row stand
// for it instead, and only the rows that are shown are read again.

// makeDigests makes the table in which a connection notes the hashes of rows that
// are there more often on one side.
const makeDigests = `CREATE TEMPORARY TABLE digests (name text, h1 bigint, h2 bigint, old_times bigint, new_times bigint)`

// digest is the hashes of the row of that alias.
func (p *pair) digest(alias string) string {
	values := make([]string, len(p.columns))
	for i, c := range p.columns {
		values[i] = c.in(alias)
	}
	row := "ROW(" + strings.Join(values, ", ") + ")"
	return "hash_record_extended(" + row + ", 0) AS h1, hash_record_extended(" + row + ", 1) AS h2"
}

// rowsIn are the rows of a side that can be compared.
func (p *pair) rowsIn(t *table) string {
	return p.side(t) + " r WHERE NOT " + p.late("r."+positionColumn)
}

func (p *pair) noteDigests() string {
	return fmt.Sprintf(`
		INSERT INTO pg_temp.digests
		SELECT %[1]s, h1, h2, count(*) FILTER (WHERE is_old), count(*) FILTER (WHERE NOT is_old)
		FROM (SELECT %[2]s, true AS is_old FROM %[3]s UNION ALL SELECT %[2]s, false FROM %[4]s) sides
		GROUP BY h1, h2 HAVING count(*) FILTER (WHERE is_old) <> count(*) FILTER (WHERE NOT is_old)`,
		literal(p.name), p.digest("r"), p.rowsIn(p.old), p.rowsIn(p.new))
}

func (p *pair) countKeyless() string {
	count := func(t *table, condition string) string {
		return "(SELECT count(*) FROM " + p.side(t) + " r WHERE " + condition + ")"
	}
	late := p.late("r." + positionColumn)
	return fmt.Sprintf(`
		SELECT ARRAY[%s, %s, %s + %s,
		             coalesce(sum(greatest(old_times - new_times, 0)), 0)::bigint,
		             coalesce(sum(greatest(new_times - old_times, 0)), 0)::bigint, 0]
		FROM pg_temp.digests WHERE name = %s`,
		count(p.old, "true"), count(p.new, "true"), count(p.old, late), count(p.new, late), literal(p.name))
}

func (p *pair) keylessExamples(ctx context.Context, tx pgx.Tx, kind Kind, limit int) ([]Example, error) {
	from, order := p.old, ">"
	if kind == OnlyNew {
		from, order = p.new, "<"
	}
	fields := make([]string, len(p.columns))
	for i, c := range p.columns {
		fields[i] = literal(c.name) + ", " + c.in("r")
	}
	var objects []string
	for part := range slices.Chunk(fields, 50) { // a function takes at most a hundred arguments
		objects = append(objects, "jsonb_build_object("+strings.Join(part, ", ")+")")
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		WITH shown AS (
			SELECT h1, h2, old_times, new_times FROM pg_temp.digests
			WHERE name = %s AND old_times %s new_times ORDER BY h1, h2 LIMIT %d)
		SELECT DISTINCT ON (h1, h2) content, old_times, new_times, _stream, _position
		FROM (SELECT %s, %s AS content, r._stream, r._position FROM %s) found JOIN shown USING (h1, h2)
		ORDER BY h1, h2, _position DESC`,
		literal(p.name), order, limit, p.digest("r"), strings.Join(objects, " || "), p.rowsIn(from)), p.args()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Example, error) {
		e := Example{Kind: kind}
		var said []byte
		if err := row.Scan(&said, &e.Times[0], &e.Times[1], &e.Stream, &e.Position); err != nil {
			return e, err
		}
		var content Row
		if err := decodeRow(said, &content); err != nil {
			return e, err
		}
		e.Business, _, _ = content.origin()
		if e.Times[0] > 0 {
			e.old = content
		}
		if e.Times[1] > 0 {
			e.new = content
		}
		return e, nil
	})
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
