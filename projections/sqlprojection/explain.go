package sqlprojection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// plan is a step of how Postgres would run a statement.
type plan struct {
	Node      string  `json:"Node Type"`
	Table     string  `json:"Relation Name"`
	Rows      float64 `json:"Plan Rows"`
	Join      string  `json:"Join Filter"`
	IndexCond string  `json:"Index Cond"`
	Plans     []plan  `json:"Plans"`
}

func (p plan) any(fits func(plan) bool) bool {
	return fits(p) || slices.ContainsFunc(p.Plans, func(inner plan) bool { return inner.any(fits) })
}

// plan asks for the plan of a statement over these events, without running it.
func (t *trial) plan(ctx context.Context, tx pgx.Tx, s *statement, r rows) (p plan, err error) {
	var text []byte
	if err := tx.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+s.overEvents(), r.arguments()...).Scan(&text); err != nil {
		return p, err
	}
	var found []struct{ Plan plan }
	if err := json.Unmarshal(text, &found); err != nil || len(found) != 1 {
		return p, fmt.Errorf("sqlprojection: reading a plan: %w", err)
	}
	return found[0].Plan, nil
}

// stopped says in what a statement that met a limit was probably lost.
func (t *trial) stopped(ctx context.Context, tx pgx.Tx, s *statement, r rows, why error) error {
	var p *Problem
	if !errors.As(why, &p) {
		return why
	}
	limit := "took longer than " + t.projection.limits.Statement.String()
	if code := codeOf(why); code != timedOut {
		limit = "took more memory or disk than it may: " + p.Message
	}
	p = t.definition.problemf(s.from, "the statement was stopped: over %d events it %s", len(r.position), limit)
	p.cause = why
	found, err := t.plan(ctx, tx, s, r)
	if err != nil {
		return err
	}
	switch {
	case found.any(func(p plan) bool { return p.Node == "Recursive Union" }):
		p.Hint = "it has a WITH RECURSIVE that may never end: give the recursion a condition that becomes false"
	case found.any(func(p plan) bool { return p.Node == "Nested Loop" && p.Rows >= 1e5 }):
		p.Hint = "it joins every row with every other: say in ON or WHERE which rows belong together"
	default:
		p.Hint = "EXPLAIN it with events of your own; often an index is missing, or rows are joined that do not belong together"
	}
	return p
}

// traceRows demands that every row says which event it last came from, and is of
// that event's business: nobody else may see it.
func (t *trial) traceRows(ctx context.Context) error {
	r, err := rowsOf(t.sample.Events, t.definition.Types())
	if err != nil {
		return err
	}
	for _, table := range t.definition.tables {
		// Without LIMIT, in the hope of which Postgres would look at all events for
		// every row.
		var wrong *string
		err := t.tx.QueryRow(ctx, "WITH "+events+`
			SELECT min(to_jsonb(r)::text) FROM `+table.name+` r LEFT JOIN events e ON e.position = r._position
			WHERE e.position IS NULL OR e.business_id <> r.business_id::text OR e.stream IS DISTINCT FROM r._stream`,
			r.arguments()...).Scan(&wrong)
		if err != nil {
			return err
		}
		if wrong != nil {
			return t.definition.problemf(table.from,
				"table %s: a row does not have the business_id, _stream and _position of one event: %s", table.name, row(wrong)).
				hint("a row belongs to one business, so that business_id is in every GROUP BY; " +
					"_position is max(position), and _stream that event's stream: (array_agg(stream ORDER BY position DESC))[1]")
		}
	}
	return nil
}

// liveBatch is a batch of a portal that is in use, and not replaying.
const liveBatch = 16

// explain warns of statements that read a whole table for every batch: cheap
// today, and dear when the table has grown.
func (t *trial) explain(ctx context.Context) error {
	for i := range t.definition.statements {
		s := &t.definition.statements[i]
		few := t.sample.Events[max(0, len(t.sample.Events)-liveBatch):]
		r, err := rowsOf(few, s.types)
		if err != nil {
			return err
		}
		err = t.undone(ctx, func(tx pgx.Tx) error {
			// What is read as a whole even so has no index to go by.
			if _, err := tx.Exec(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
				return err
			}
			found, err := t.plan(ctx, tx, s, r)
			if err != nil {
				return err
			}
			for _, table := range t.definition.tables {
				whole := func(p plan) bool {
					return p.Table == table.name && p.IndexCond == "" &&
						slices.Contains([]string{"Seq Scan", "Index Scan", "Index Only Scan"}, p.Node)
				}
				if found.any(whole) {
					p := t.definition.problemf(s.from, "the statement reads all of table %s for every batch", table.name)
					t.report.Warnings = append(t.report.Warnings,
						p.hint("an index on the columns that it is joined or filtered by would help").Error())
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
