package sqlprojection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/internal/database"
	"portal.example/projections/runner"
)

// Trying are the limits of a statement while it is checked.
var Trying = Limits{Statement: 10 * time.Second, Memory: Running.Memory, Disk: Running.Disk}

// Checks is what a definition is checked against.
type Checks struct {
	Types  []string // all types of events that there are
	Taken  []string // names of projections that are part of the program
	Sample Sample
	Limits Limits // Trying, unless a test is in a hurry
}

// checkLimit bounds a check, whose transaction is rolled back.
const checkLimit = 5 * time.Minute

// Check finds out whether the definition can be installed: whether Postgres
// understands it, whether it keeps to its tables and to functions without
// effects, and what it does with the sample. Nothing is left behind. What is
// wrong with the definition is one *Problem or several, joined.
func Check(ctx context.Context, pool *pgxpool.Pool, d *Definition, checks Checks) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if err := d.checkNames(checks); err != nil {
		return nil, err
	}
	if checks.Limits.Statement == 0 {
		checks.Limits = Trying
	}
	conn, err := database.Dedicated(ctx, pool, "portal projections check")
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlprojection: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	t, err := begin(ctx, tx, d, checks)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{
		t.makeTables, t.judgeTables, t.judgeStatements, t.changeNothing, t.cut, t.measure, t.traceRows, t.explain,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &t.report, nil
}

// trial is a check in progress, in a schema and under a role that exist in its
// transaction only.
type trial struct {
	tx         pgx.Tx
	definition *Definition
	projection *Projection
	schema     string
	sample     Sample
	report     Report
}

func begin(ctx context.Context, tx pgx.Tx, d *Definition, checks Checks) (*trial, error) {
	name := "sql_trial_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	t := &trial{
		tx: tx, definition: d, schema: name, sample: checks.Sample,
		projection: &Projection{definition: d, role: name, limits: checks.Limits},
		report:     Report{Name: d.Name, Version: d.Version, Tables: d.Tables(), Types: d.Types()},
	}
	// The user that may make roles is not always a member of those they make.
	if err := t.exec(ctx, "CREATE ROLE "+name+" NOLOGIN", "GRANT "+name+" TO CURRENT_USER"); err != nil {
		return nil, fmt.Errorf("sqlprojection: a role for the trial (the portal's user needs CREATEROLE): %w", err)
	}
	return t, nil
}

func (t *trial) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := t.tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// undone runs something within the transaction and takes it back.
func (t *trial) undone(ctx context.Context, do func(pgx.Tx) error) error {
	savepoint, err := t.tx.Begin(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(savepoint), savepoint.Rollback(ctx))
}

// makeTables makes them twice: one by one, to find the statement at fault, and
// as the runner does.
func (t *trial) makeTables(ctx context.Context) error {
	d := t.definition
	err := t.undone(ctx, func(tx pgx.Tx) error {
		if err := t.exec(ctx, "CREATE SCHEMA "+t.schema, "SET LOCAL search_path = "+t.schema); err != nil {
			return err
		}
		for _, s := range d.ddl {
			// This protocol takes one statement, whatever the text may hold.
			if _, err := tx.Conn().PgConn().ExecParams(ctx, s.sql, nil, nil, nil, nil).Close(); err != nil {
				return d.refused(err, s.from, 0)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = runner.CreateTables(ctx, t.tx, t.projection, t.schema)
	var unfit *runner.UnfitError
	if errors.As(err, &unfit) {
		return d.problemf(d.tableAt(unfit.Table), "table %s %s", unfit.Table, unfit.Lack).
			hint("every table has business_id text NOT NULL, _stream text and _position bigint: whose a row is, and the event that it last came from")
	}
	if err != nil {
		return err
	}
	return t.exec(ctx, "SET LOCAL search_path = "+t.schema, "SET LOCAL standard_conforming_strings = on")
}

func (d *Definition) tableAt(name string) int {
	for _, t := range d.tables {
		if t.name == name {
			return t.from
		}
	}
	return 0
}

// judgeTables looks at what defaults, constraints and indexes call, and whether
// the views of the tables' names are free.
func (t *trial) judgeTables(ctx context.Context) error {
	for _, table := range t.definition.tables {
		var expressions []string
		var generated, keyed, inherits, deferrable bool
		var taken *string
		err := t.tx.QueryRow(ctx, `
			SELECT ARRAY(SELECT adbin::text FROM pg_attrdef WHERE adrelid = c.oid
			             UNION ALL SELECT conbin::text FROM pg_constraint WHERE conrelid = c.oid AND conbin IS NOT NULL
			             UNION ALL SELECT concat(indexprs, indpred) FROM pg_index WHERE indrelid = c.oid),
			       EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attidentity <> ''),
			       EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary),
			       EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid),
			       EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND condeferrable),
			       (SELECT coalesce(obj_description(v.oid, 'pg_class'), '') FROM pg_class v
			        WHERE v.relnamespace = 'read'::regnamespace AND v.relname = c.relname)
			FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relname = $2`, t.schema, table.name).
			Scan(&expressions, &generated, &keyed, &inherits, &deferrable, &taken)
		if err != nil {
			return err
		}
		if !keyed {
			return t.definition.problemf(table.from, "table %s has no PRIMARY KEY", table.name).
				hint("rows are told apart by it when versions are compared")
		}
		if inherits {
			return t.definition.problemf(table.from, "table %s must not inherit from another", table.name)
		}
		if deferrable {
			return t.definition.problemf(table.from, "table %s: a constraint must not be DEFERRABLE", table.name).
				hint("what violates it has to be found while its event is applied")
		}
		if generated {
			expressions = append(expressions, "{NEXTVALUEEXPR}")
		}
		faults, err := t.judge(ctx, t.tx, strings.Join(expressions, "\n"))
		if err != nil {
			return err
		}
		if taken != nil && *taken != "projection "+t.definition.Name {
			faults = append(faults, fault{table.name, "another read model has a table of this name"})
		}
		if len(faults) > 0 {
			return t.definition.problemf(table.from, "table %s: %s", table.name, faults[0].message)
		}
	}
	return nil
}

func (t *trial) judge(ctx context.Context, tx pgx.Tx, text string) ([]fault, error) {
	found, err := readTree(text)
	if err != nil {
		return nil, err
	}
	return found.judge(ctx, tx, t.schema)
}

// judgeStatements has Postgres parse all of them, and tells of every one that is
// wrong.
func (t *trial) judgeStatements(ctx context.Context) error {
	var problems []error
	for i := range t.definition.statements {
		s := &t.definition.statements[i]
		err := t.undone(ctx, func(tx pgx.Tx) error { return t.prepare(ctx, tx, s) })
		if err == nil {
			err = t.undone(ctx, func(tx pgx.Tx) error { return t.analyse(ctx, tx, s) })
		}
		var p *Problem
		if err != nil && !errors.As(err, &p) {
			return err
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// prepare has the statement parsed and its types inferred, as the projection.
func (t *trial) prepare(ctx context.Context, tx pgx.Tx, s *statement) error {
	if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+t.projection.role); err != nil {
		return err
	}
	if _, err := tx.Prepare(ctx, "", s.overEvents()); err != nil {
		return t.definition.failed(ctx, s, err)
	}
	return nil
}

// analyse reads the statement's tree. The function that shows it is never called.
func (t *trial) analyse(ctx context.Context, tx pgx.Tx, s *statement) error {
	_, err := tx.Exec(ctx, `CREATE FUNCTION `+t.schema+`.tree(bigint[], text[], bigint[], text[], text[], text[], text[],
		timestamptz[], timestamptz[], text[]) RETURNS void BEGIN ATOMIC `+s.overEvents()+"\n; END")
	if err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			pg.Position = 0 // not one of the file
		}
		return t.definition.refused(err, s.from, 0)
	}
	var text string
	if err := tx.QueryRow(ctx, `SELECT prosqlbody::text FROM pg_proc
		WHERE pronamespace = to_regnamespace($1) AND proname = 'tree'`, t.schema).Scan(&text); err != nil {
		return err
	}
	found, err := readTree(text)
	if err != nil {
		return err
	}
	faults, err := found.judge(ctx, tx, t.schema)
	switch {
	case err != nil:
		return err
	case len(faults) > 0:
		return t.definition.problemsIn(s, faults)
	case !found.events:
		return t.definition.problemf(s.from, "the statement does not read events").
			hint("it is run for every batch of events, and gets them as the relation events")
	}
	return nil
}

// problemsIn are the faults, each where its name first stands in the statement.
func (d *Definition) problemsIn(s *statement, faults []fault) error {
	var problems []error
	for _, f := range faults {
		place := max(0, strings.Index(strings.ToLower(s.sql), f.name))
		problems = append(problems, d.problemf(s.from+place, "%s", f.message))
	}
	return errors.Join(problems...)
}
