package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// pair is two tables of one name, of which one may be missing.
type pair struct {
	name     string
	old, new *table
	key      []string // in both
	columns  []common // that are compared, those of the key left out
	business string
	horizon  *uint64 // commit position up to which both builds are complete; nil: they are at the same place

	added, removed, retyped []string
}

func newPair(was, is *table, o Options) *pair {
	p := &pair{old: was, new: is, business: o.Business}
	if was == nil || is == nil {
		one := was
		if was == nil {
			one = is
		}
		p.name, p.key = one.name, one.key
		for _, c := range one.columns {
			p.take(commonColumn(c, c), o)
		}
		return p
	}
	p.name = is.name
	if slices.Equal(slices.Sorted(slices.Values(was.key)), slices.Sorted(slices.Values(is.key))) {
		p.key = is.key
	}
	for _, c := range is.columns {
		before, both := was.column(c.name)
		if !both {
			p.added = append(p.added, c.name)
			continue
		}
		if before.typ != c.typ {
			p.retyped = append(p.retyped, c.name)
		}
		p.take(commonColumn(before, c), o)
	}
	for _, c := range was.columns {
		if _, both := is.column(c.name); !both {
			p.removed = append(p.removed, c.name)
		}
	}
	return p
}

func (p *pair) take(c common, o Options) {
	if c.name == positionColumn && !o.Positions || slices.Contains(p.key, c.name) {
		return
	}
	p.columns = append(p.columns, c)
}

// compare counts the differences, and finds some of each kind.
func (p *pair) compare(ctx context.Context, tx pgx.Tx, examples int, show discretion) (Table, error) {
	t := Table{
		Name: p.name, Key: p.key, InOld: p.old != nil, InNew: p.new != nil,
		Added: p.added, Removed: p.removed, Retyped: p.retyped, pair: p,
	}
	var differing []common
	sql := p.countKeyless()
	if len(p.key) > 0 {
		sql, differing = p.countKeyed(), p.columns
	} else if _, err := tx.Exec(ctx, p.noteDigests(), p.args()...); err != nil {
		return t, err
	}
	rows, err := tx.Query(ctx, sql, p.args()...)
	if err != nil {
		return t, err
	}
	counts, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]int64])
	if err != nil {
		return t, err
	}
	t.OldRows, t.NewRows, t.NotYet, t.OnlyOld, t.OnlyNew, t.Changed = counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]
	for i, c := range differing {
		if n := counts[6+i]; n > 0 {
			t.Columns = append(t.Columns, ColumnCount{c.name, n})
		}
	}
	for _, kind := range Kinds {
		if n := map[Kind]int64{Changed: t.Changed, OnlyOld: t.OnlyOld, OnlyNew: t.OnlyNew}[kind]; n == 0 || examples == 0 {
			continue
		}
		found, err := p.examples(ctx, tx, kind, examples)
		if err != nil {
			return t, err
		}
		for i := range found {
			found[i].Changes = show.changes(found[i].before(), found[i].after(), p.shown())
		}
		t.Examples = append(t.Examples, found...)
	}
	return t, nil
}

func (p *pair) args() []any {
	if p.business == "" {
		return nil
	}
	return []any{p.business}
}

// side is the rows of one of the tables, or of none where it is missing.
func (p *pair) side(t *table) string {
	from := t
	if t == nil {
		if from = p.old; from == nil {
			from = p.new
		}
	}
	var where []string
	if t == nil {
		where = append(where, "false")
	}
	if p.business != "" {
		where = append(where, "business_id::text = $1")
	}
	if len(where) == 0 {
		return from.sql()
	}
	return "(SELECT * FROM " + from.sql() + " WHERE " + strings.Join(where, " AND ") + ")"
}

// joined pairs the rows of both tables by their key, as o and n.
func (p *pair) joined() string {
	on := make([]string, len(p.key))
	for i, name := range p.key {
		c := p.keyColumn(name)
		on[i] = c.in("o") + " = " + c.in("n")
	}
	return p.side(p.old) + " o FULL JOIN " + p.side(p.new) + " n ON " + strings.Join(on, " AND ")
}

func (p *pair) keyColumn(name string) common {
	was, is := p.old, p.new
	if was == nil {
		was = is
	}
	if is == nil {
		is = was
	}
	before, _ := was.column(name)
	after, _ := is.column(name)
	return commonColumn(before, after)
}

// late is the condition that a row, or one of a pair of rows, was changed by an
// event that only one of the builds has.
func (p *pair) late(positions ...string) string {
	if p.horizon == nil {
		return "false"
	}
	return fmt.Sprintf("coalesce(greatest(%s) > %d, false)", strings.Join(positions, ", "), *p.horizon)
}

func (p *pair) lateRows() string { return p.late("o."+positionColumn, "n."+positionColumn) }

// is is the condition that a pair of rows differs in that way.
func (p *pair) is(kind Kind) string {
	key := ident(p.key[0]) // of which a row that is there has a value
	switch kind {
	case OnlyOld:
		return "n." + key + " IS NULL"
	case OnlyNew:
		return "o." + key + " IS NULL"
	case Changed:
		return "o." + key + " IS NOT NULL AND n." + key + " IS NOT NULL AND (" + p.differ() + ")"
	}
	return "false"
}

func (p *pair) differ() string {
	conditions := make([]string, len(p.columns), len(p.columns)+1)
	for i, c := range p.columns {
		conditions[i] = c.in("o") + " IS DISTINCT FROM " + c.in("n")
	}
	return strings.Join(append(conditions, "false"), " OR ")
}

func (p *pair) countKeyed() string {
	key := ident(p.key[0])
	counts := []string{
		"o." + key + " IS NOT NULL", "n." + key + " IS NOT NULL", p.lateRows(),
		"NOT l.late AND " + p.is(OnlyOld), "NOT l.late AND " + p.is(OnlyNew), "NOT l.late AND " + p.is(Changed),
	}
	both := "NOT l.late AND o." + key + " IS NOT NULL AND n." + key + " IS NOT NULL AND "
	for _, c := range p.columns {
		counts = append(counts, both+c.in("o")+" IS DISTINCT FROM "+c.in("n"))
	}
	for i, condition := range counts {
		counts[i] = "count(*) FILTER (WHERE " + condition + ")"
	}
	return "SELECT ARRAY[" + strings.Join(counts, ", ") + "] FROM " + p.joined() +
		" CROSS JOIN LATERAL (SELECT " + p.lateRows() + " AS late) l"
}

func (p *pair) examples(ctx context.Context, tx pgx.Tx, kind Kind, limit int) ([]Example, error) {
	if len(p.key) == 0 {
		return p.keylessExamples(ctx, tx, kind, limit)
	}
	order := make([]string, len(p.key))
	for i, name := range p.key {
		c := p.keyColumn(name)
		order[i] = "coalesce(" + c.in("o") + ", " + c.in("n") + ")"
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT to_jsonb(o.*), to_jsonb(n.*) FROM %s WHERE NOT %s AND (%s) ORDER BY %s LIMIT %d`,
		p.joined(), p.lateRows(), p.is(kind), strings.Join(order, ", "), limit), p.args()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Example, error) {
		e := Example{Kind: kind, Key: make(map[string]string)}
		var was, is []byte
		if err := row.Scan(&was, &is); err != nil {
			return e, err
		}
		if err := decodeRow(was, &e.old); err != nil {
			return e, err
		}
		if err := decodeRow(is, &e.new); err != nil {
			return e, err
		}
		either := e.new
		if kind == OnlyOld {
			either = e.old
		}
		for _, name := range p.key {
			e.Key[name] = textOf(either[name])
		}
		e.Business, e.Stream, e.Position = either.origin()
		if _, stream, position := e.old.origin(); position > e.Position {
			e.Stream, e.Position = stream, position
		}
		return e, nil
	})
}

func decodeRow(encoded []byte, into *Row) error {
	if encoded == nil {
		return nil
	}
	return json.Unmarshal(encoded, into)
}

// origin is whose the row is and what changed it last.
func (r Row) origin() (business, stream string, position int64) {
	_ = json.Unmarshal(r[positionColumn], &position) // null, or not there: 0
	return textOf(r["business_id"]), textOf(r["_stream"]), position
}

// textOf is a value as text: a string's own, or the JSON of what is none.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
