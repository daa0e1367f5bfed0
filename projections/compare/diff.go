// Package compare tells how two builds of a projection differ, row by row, and
// which events are behind a difference or a row: it folds them again, in tables
// that are never committed, with and without each of them.
//
// Diff compares in Postgres. An Explainer says why, a Tracer where a row is from;
// both stand on Scratch, the tables in which events are folded again.
package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/internal/database"
)

// Options say what to compare. The zero value compares everything as it is now.
type Options struct {
	Tables    []string      // by name; none means all
	Business  string        // id; "" means all
	Examples  int           // of each kind and table, MaxExamples at most; none by default
	Disclosed Disclosed     // what examples show of texts
	Personal  bool          // examples show all texts
	Positions bool          // a row that says the same by another event (_position) is different
	Wait      time.Duration // for the two builds to be at the same place in the log
	Timeout   time.Duration // of a statement; ten minutes by default
}

// MaxExamples bounds the examples of each kind that a table has in a report.
const MaxExamples = 100

const (
	defaultTimeout = 10 * time.Minute
	lookEvery      = 50 * time.Millisecond
)

// Report is how two builds differ.
type Report struct {
	Old Build `json:"old"`
	New Build `json:"new"`

	// Aligned says that both contain the same of the log. Otherwise rows that
	// were changed after the earlier place of the two are left out (NotYet), and
	// a row that a later event deletes looks as if it were missing.
	Aligned  bool   `json:"aligned"`
	Business string `json:"business,omitempty"` // id, where only its rows are compared

	Different bool    `json:"different"`
	Tables    []Table `json:"tables"`
}

// Table is how the two builds' tables of one name differ.
type Table struct {
	Name string   `json:"table"`
	Key  []string `json:"key,omitempty"` // columns by which rows are the same; none: rows have only what they say

	InOld bool `json:"inOld"` // there is such a table
	InNew bool `json:"inNew"`

	OldRows int64 `json:"oldRows"`
	NewRows int64 `json:"newRows"`
	OnlyOld int64 `json:"onlyOld"`
	OnlyNew int64 `json:"onlyNew"`
	Changed int64 `json:"changed"`
	NotYet  int64 `json:"notYet"` // rows of which only one build has the latest events

	Columns  []ColumnCount `json:"columns,omitempty"`        // that differ in rows of the same key
	Added    []string      `json:"addedColumns,omitempty"`   // only the new table has them; they are not compared
	Removed  []string      `json:"removedColumns,omitempty"` // only the old table has them
	Retyped  []string      `json:"retypedColumns,omitempty"` // of another type; compared as numbers or texts
	Examples []Example     `json:"examples,omitempty"`

	pair *pair
}

// ColumnCount is in how many rows a column differs.
type ColumnCount struct {
	Name string `json:"column"`
	Rows int64  `json:"rows"`
}

// Kind is how a row differs.
type Kind string

// The kinds of difference.
const (
	OnlyOld Kind = "only-old"
	OnlyNew Kind = "only-new"
	Changed Kind = "changed"
)

// Kinds are all of them, as reports order them.
var Kinds = []Kind{Changed, OnlyOld, OnlyNew}

// Example is a row that differs.
type Example struct {
	Kind     Kind              `json:"kind"`
	Key      map[string]string `json:"key,omitempty"`
	Business string            `json:"business"`
	Stream   string            `json:"_stream"` // of the event that changed it last
	Position int64             `json:"_position"`
	Times    [2]int64          `json:"times,omitzero"` // how often the row is in the old and the new table, where there is no key

	Changes     []Change     `json:"changes"` // what differs; of a row in one table only, what it says
	Explanation *Explanation `json:"explanation,omitempty"`

	old, new Row // with all columns; nil where there is none
}

// before and after are the row as it is shown: where there is no key, a row of
// one table only.
func (e *Example) before() Row {
	if e.Kind == OnlyNew {
		return nil
	}
	return e.old
}

func (e *Example) after() Row {
	if e.Kind == OnlyOld {
		return nil
	}
	return e.new
}

// Row is a row's columns as JSON.
type Row map[string]json.RawMessage

// Diff compares two builds, by their schemas, as they are at one moment.
func Diff(ctx context.Context, pool *pgxpool.Pool, oldSchema, newSchema string, o Options) (*Report, error) {
	o.Examples = min(max(o.Examples, 0), MaxExamples)
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	conn, err := database.Dedicated(ctx, pool, "portal diff")
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, fmt.Sprintf(`SET statement_timeout = %d; SET work_mem = '64MB'; `+makeDigests, o.Timeout.Milliseconds())); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	report := &Report{Business: o.Business}
	tx, err := report.begin(ctx, conn, oldSchema, newSchema, o.Wait)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := report.compare(ctx, tx, o); err != nil {
		return nil, fmt.Errorf("compare: %s and %s: %w", oldSchema, newSchema, err)
	}
	return report, nil
}

// begin returns a transaction that sees both builds at one moment: once they are
// at the same place in the log, if that comes in time. A retired build stays
// where it is.
func (r *Report) begin(ctx context.Context, conn *pgx.Conn, oldSchema, newSchema string, patience time.Duration) (pgx.Tx, error) {
	waiting, calm := context.WithTimeout(ctx, patience)
	defer calm()
	for {
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		if err := r.locate(ctx, tx, oldSchema, newSchema); err != nil {
			_ = tx.Rollback(ctx) // the connection is about to be closed
			return nil, err
		}
		if r.Aligned || waiting.Err() != nil || r.Old.State == "retired" || r.New.State == "retired" {
			return tx, nil
		}
		if err := tx.Rollback(ctx); err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		pause := time.NewTimer(lookEvery)
		select {
		case <-pause.C:
		case <-waiting.Done():
		}
		pause.Stop()
	}
}

func (r *Report) locate(ctx context.Context, tx pgx.Tx, oldSchema, newSchema string) error {
	builds, err := selectBuilds(ctx, tx, "schema = ANY ($1)", []string{oldSchema, newSchema})
	if err != nil {
		return err
	}
	if r.Old, err = Choose(builds, oldSchema); err != nil {
		return err
	}
	if r.New, err = Choose(builds, newSchema); err != nil {
		return err
	}
	if r.Old.Projection != r.New.Projection {
		return fmt.Errorf("compare: %s is of projection %s, %s of %s", oldSchema, r.Old.Projection, newSchema, r.New.Projection)
	}
	r.Aligned = r.Old.At == r.New.At
	return nil
}

func (r *Report) compare(ctx context.Context, tx pgx.Tx, o Options) error {
	was, err := tablesOf(ctx, tx, r.Old.Schema)
	if err != nil {
		return err
	}
	is, err := tablesOf(ctx, tx, r.New.Schema)
	if err != nil {
		return err
	}
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range o.Tables {
		if names[name] == nil {
			return fmt.Errorf("there is no table %.60q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if len(o.Tables) > 0 && !slices.Contains(o.Tables, name) {
			continue
		}
		p := newPair(was[name], is[name], o)
		if !r.Aligned {
			horizon := min(r.Old.At.Commit, r.New.At.Commit)
			p.horizon = &horizon
		}
		t, err := p.compare(ctx, tx, o.Examples, discretion{everything: o.Personal, disclosed: o.Disclosed, table: name})
		if err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		r.Tables = append(r.Tables, t)
		r.Different = r.Different || t.OnlyOld+t.OnlyNew+t.Changed > 0
	}
	return nil
}
