package sqlprojection

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Postgres says itself what SQL calls and touches. The body of a function that
// is written BEGIN ATOMIC … END is analysed when the function is made, and kept as
// the tree of the analysis, in which every function, operator and table has its
// number, whatever it was called in the text. The same goes for defaults and
// constraints of tables.

// calling are the nodes of such a tree that call a function, and where its number
// stands. A tree of another form, such as a later Postgres may write, is refused.
var calling = map[string]*regexp.Regexp{
	"FUNCEXPR":          regexp.MustCompile(`^ :funcid (\d+) `),
	"AGGREF":            regexp.MustCompile(`^ :aggfnoid (\d+) `),
	"WINDOWFUNC":        regexp.MustCompile(`^ :winfnoid (\d+) `),
	"OPEXPR":            regexp.MustCompile(`^ :opno \d+ :opfuncid (\d+) `),
	"DISTINCTEXPR":      regexp.MustCompile(`^ :opno \d+ :opfuncid (\d+) `),
	"NULLIFEXPR":        regexp.MustCompile(`^ :opno \d+ :opfuncid (\d+) `),
	"SCALARARRAYOPEXPR": regexp.MustCompile(`^ :opno \d+ :opfuncid (\d+) `),
}

// forbidden are nodes that depend on something else than events and tables.
var forbidden = map[string]string{
	"SQLVALUEFUNCTION":  "the current date, time or user",
	"NEXTVALUEEXPR":     "a sequence",
	"TABLESAMPLECLAUSE": "TABLESAMPLE",
	"CURRENTOFEXPR":     "a cursor",
}

var (
	node     = regexp.MustCompile(`\{([A-Z_]+)`)
	relation = regexp.MustCompile(` :relid (\d+) `)

	// catalogue are values of the types regproc, regclass and their like, which
	// are looked up by name.
	catalogue = regexp.MustCompile(` :(?:resulttype|consttype) (?:24|2202|2203|2204|2205|2206|3734|3769|4089|4096|4191) `)
)

// tree is what an analysis found.
type tree struct {
	functions []uint32
	relations []uint32
	uses      []string // of what is forbidden
	events    bool     // it reads the relation events
}

func readTree(text string) (t tree, err error) {
	for _, m := range node.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		if what := forbidden[name]; what != "" {
			t.uses = append(t.uses, what)
		}
		number := calling[name]
		if number == nil {
			continue
		}
		found := number.FindStringSubmatch(text[m[3]:min(len(text), m[3]+100)])
		if found == nil {
			return t, fmt.Errorf("sqlprojection: this Postgres describes a %s in a way that is not known here", name)
		}
		oid, err := strconv.ParseUint(found[1], 10, 32)
		if err != nil || oid == 0 {
			return t, fmt.Errorf("sqlprojection: a %s without a function", name)
		}
		t.functions = append(t.functions, uint32(oid))
	}
	for _, m := range relation.FindAllStringSubmatch(text, -1) {
		oid, err := strconv.ParseUint(m[1], 10, 32)
		if err != nil {
			return t, fmt.Errorf("sqlprojection: a table's number: %w", err)
		}
		t.relations = append(t.relations, uint32(oid))
	}
	if catalogue.MatchString(text) {
		t.uses = append(t.uses, "a name of the catalogue, such as a regclass,")
	}
	t.events = strings.Contains(text, ":rtekind 6 :ctename events ")
	return t, nil
}

// steady are the functions that are not immutable, because a setting such as the
// time zone has a part in them, and that statements may call all the same: these
// settings are the portal's.
var steady = regexp.MustCompile(`^(concat|concat_ws|format|quote_literal|quote_nullable|length|convert|convert_from|convert_to|` +
	`to_char|to_date|to_number|to_timestamp|to_jsonb?|row_to_json|array_to_json|array_to_string|anytextcat|textanycat|` +
	`jsonb?_(\w*agg\w*|build_array|build_object|populate_record|populate_recordset|to_record|to_recordset)|jsonb_path_\w+_tz|` +
	`date|time|timetz|timestamp|timestamptz|timezone|date_trunc|date_part|extract|date_add|date_subtract|` +
	`generate_series|make_timestamptz|overlaps|in_range|` +
	`(date|timestamp|timestamptz|interval)_(cmp|eq|ge|gt|le|lt|ne|pl|mi)_(date|timestamp|timestamptz|interval)|` +
	`enum_(first|last|range))$`)

// fault is something that a projection must not have. What it is called in the
// text is its name, as a rule.
type fault struct{ name, message string }

// judge tells what faults the tree has.
func (t tree) judge(ctx context.Context, tx pgx.Tx, schema string) (faults []fault, err error) {
	slices.Sort(t.uses)
	for _, what := range slices.Compact(t.uses) {
		faults = append(faults, fault{"current_", what + " is not in any event: a replay would give other rows"})
	}
	// Numbers below 16384 are those of Postgres itself, made by initdb.
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT proname::text, provolatile::text, oid < 16384 AND pronamespace = 'pg_catalog'::regnamespace
		FROM pg_proc WHERE oid = ANY ($1) ORDER BY 1`, t.functions)
	if err != nil {
		return nil, err
	}
	var name, volatility string
	var builtIn bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &volatility, &builtIn}, func() error {
		switch {
		case !builtIn:
			faults = append(faults, fault{name, fmt.Sprintf("function %s is not one of Postgres's own", name)})
		case volatility == "v", volatility == "s" && !steady.MatchString(name):
			faults = append(faults, fault{name, fmt.Sprintf(
				"function %s is not allowed: it has effects, or its result depends on more than its arguments", name)})
		}
		return nil
	}); err != nil {
		return nil, err
	}
	foreign, err := tx.Query(ctx, `
		SELECT DISTINCT oid::regclass::text FROM pg_class
		WHERE oid = ANY ($1) AND relnamespace <> to_regnamespace(quote_ident($2)) ORDER BY 1`, t.relations, schema)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(foreign, pgx.RowTo[string])
	for _, name := range names {
		faults = append(faults, fault{name, fmt.Sprintf("%s is not a table of this projection", name)})
	}
	return faults, err
}
