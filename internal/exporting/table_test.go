package exporting_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/internal/exporting"
	"portal.example/projections/projectiontest"
)

// inPostgres is what Postgres says of a table's rows, by a query that shares
// nothing with the export: times as microseconds, integers and days as texts.
func inPostgres(t *testing.T, pool *pgxpool.Pool, schema, table, business string, columns []exporting.Column, key []string) (rows []map[string]any) {
	t.Helper()
	var parts []string
	for _, c := range columns {
		value := "to_jsonb(" + c.Name + ")"
		switch c.Kind {
		case exporting.Timestamp:
			value = "to_jsonb((extract(epoch from " + c.Name + ") * 1000000)::bigint::text)"
		case exporting.Integer, exporting.Date:
			value = "to_jsonb(" + c.Name + "::text)"
		default:
		}
		parts = append(parts, fmt.Sprintf("jsonb_build_object('%s', %s)", c.Name, value))
	}
	found, err := pool.Query(t.Context(), fmt.Sprintf("SELECT %s FROM %s.%s WHERE business_id = $1 ORDER BY %s",
		strings.Join(parts, " || "), schema, table, strings.Join(key, ", ")), business)
	if err != nil {
		t.Fatal(err)
	}
	rows, err = pgx.CollectRows(found, pgx.RowTo[map[string]any])
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func schemaOf(t *testing.T, pool *pgxpool.Pool, projection string) (schema string) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'live'`, projection).
		Scan(&schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// Every table of every read model, read by a Parquet reader that is not ours and
// compared with Postgres row by row.
func TestParquetHoldsWhatPostgresHolds(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	tables := names(t, tx)
	if len(tables) < 9 {
		t.Errorf("tables: %v", tables)
	}
	dir := t.TempDir()
	kinds := map[exporting.Kind]bool{}
	for _, name := range tables {
		table := find(t, tx, name, true)
		m := toFolder(t, dir, exporting.Parquet, tx, table, projectiontest.BusinessID)
		heads, got := byHyparquet(t, dir, m)
		want := inPostgres(t, live.Pool, schemaOf(t, live.Pool, table.Projection), name, projectiontest.BusinessID, table.Columns, table.Key)
		if len(want) == 0 {
			t.Errorf("the sample has no %s", name)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for i, c := range heads[0].Columns {
			kinds[table.Columns[i].Kind] = true
			if c.Name != table.Columns[i].Name || !logical(table.Columns[i].Kind, c.Type, c.Logical) {
				t.Errorf("%s: column %+v of kind %s", name, c, table.Columns[i].Kind)
			}
		}
		if len(table.LeftOut) > 0 || !m.Complete || m.Rows != int64(len(want)) || m.From.AsOf.IsZero() {
			t.Errorf("%s: left out %v, %+v", name, table.LeftOut, m)
		}
	}
	for _, k := range []exporting.Kind{exporting.Text, exporting.Integer, exporting.Boolean, exporting.Timestamp, exporting.Date, exporting.JSON} {
		if !kinds[k] {
			t.Errorf("no column was of kind %s", k)
		}
	}
}

// logical tells whether a column's types are those of the kind.
func logical(k exporting.Kind, physical string, logical map[string]any) bool {
	switch k {
	case exporting.Text:
		return physical == "BYTE_ARRAY" && logical["type"] == "STRING"
	case exporting.JSON:
		return physical == "BYTE_ARRAY" && logical["type"] == "JSON"
	case exporting.Integer:
		return physical == "INT64" && logical["bitWidth"] == 64.0 && logical["isSigned"] == true
	case exporting.Timestamp:
		return physical == "INT64" && logical["type"] == "TIMESTAMP" && logical["isAdjustedToUTC"] == true && logical["unit"] == "MICROS"
	case exporting.Date:
		return physical == "INT32" && logical["type"] == "DATE"
	case exporting.Boolean:
		return physical == "BOOLEAN"
	default:
		return false
	}
}

// JSON Lines and CSV hold the same.
func TestLinesHoldWhatPostgresHolds(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	dir := t.TempDir()
	for _, name := range names(t, tx) {
		table := find(t, tx, name, true)
		toFolder(t, dir, exporting.JSONLines, tx, table, projectiontest.BusinessID)
		toFolder(t, filepath.Join(dir, "csv"), exporting.CSV, tx, table, projectiontest.BusinessID)
		text, err := os.ReadFile(filepath.Join(dir, name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		cells, err := os.ReadFile(filepath.Join(dir, "csv", name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(bytes.NewReader(cells)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(records) != len(lines)+1 {
			t.Fatalf("%s: %d lines, %d records", name, len(lines), len(records))
		}
		// Postgres writes JSON of its own; numbers and times read alike.
		wanted, err := live.Pool.Query(t.Context(), fmt.Sprintf("SELECT to_jsonb(t) FROM %s.%s t WHERE business_id = $1 ORDER BY %s",
			schemaOf(t, live.Pool, table.Projection), name, strings.Join(table.Key, ", ")), projectiontest.BusinessID)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pgx.CollectRows(wanted, pgx.RowTo[map[string]any])
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range lines {
			got := map[string]any{}
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatal(err)
			}
			for _, c := range table.Columns {
				if c.Kind == exporting.Timestamp && want[i][c.Name] != nil { // Z and +00:00 are one zone
					want[i][c.Name] = strings.Replace(want[i][c.Name].(string), "+00:00", "Z", 1)
				}
			}
			if d := cmp.Diff(want[i], got); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			for j, cell := range records[i+1] {
				if !sameCell(got[records[0][j]], cell, table.Columns[j].Kind) {
					t.Errorf("%s %s: cell %q, value %v", name, records[0][j], cell, got[records[0][j]])
				}
			}
		}
	}
}

func sameCell(value any, cell string, k exporting.Kind) bool {
	switch v := value.(type) {
	case nil:
		return cell == ""
	case string:
		return cell == v
	case float64:
		var n float64
		return json.Unmarshal([]byte(cell), &n) == nil && n == v
	}
	var parsed any
	return (k == exporting.JSON || k == exporting.Boolean) && json.Unmarshal([]byte(cell), &parsed) == nil && reflect.DeepEqual(parsed, value)
}

// An export begun after any row gives what is left.
func TestReadingGoesOnAfterAnyKey(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	for _, name := range names(t, tx) {
		table := find(t, tx, name, true)
		var all []exporting.Row
		for row, err := range table.Read(t.Context(), tx, projectiontest.BusinessID, nil, 0) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, row)
		}
		for i, after := range all {
			left := all[i+1:]
			if n, err := table.Count(t.Context(), tx, projectiontest.BusinessID, after.Key); err != nil || int(n) != len(left) {
				t.Errorf("%s: %d rows after %v, want %d: %v", name, n, after.Key, len(left), err)
			}
			for row, err := range table.Read(t.Context(), tx, projectiontest.BusinessID, after.Key, 1) {
				if err != nil || len(left) == 0 || !reflect.DeepEqual(row, left[0]) {
					t.Fatalf("%s after %v: %v, %v", name, after.Key, row, err)
				}
				left = left[1:]
			}
			if len(left) != max(0, len(all)-i-2) {
				t.Errorf("%s: %d left", name, len(left))
			}
		}
	}
}

// Nothing of another business is in an export, and nothing at all of what is no
// read model.
func TestOneBusiness(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.OtherID)
	for _, name := range names(t, tx) {
		table := find(t, tx, name, true)
		for row, err := range table.Read(t.Context(), tx, projectiontest.OtherID, nil, 0) {
			if err != nil || strings.Contains(fmt.Sprint(row.Values...), projectiontest.BusinessID) {
				t.Errorf("%s: %v, %v", name, row.Values, err)
			}
		}
		// Row-level security holds without the condition too.
		for row, err := range table.Read(t.Context(), tx, projectiontest.BusinessID, nil, 0) {
			t.Errorf("%s: %v, %v", name, row.Values, err)
		}
	}
	for _, name := range []string{"freshness", "builds", "subjects", "invoices; DROP TABLE x", ""} {
		if _, err := exporting.Find(t.Context(), tx, name, true, nil); !errors.Is(err, exporting.ErrNoTable) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An export in progress does not keep the next version from going live.
func TestAnExportHoldsNoView(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	table := find(t, tx, "invoices", true)
	for _, err := range table.Read(t.Context(), tx, projectiontest.BusinessID, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := pgx.BeginFunc(t.Context(), live.Pool, func(other pgx.Tx) error {
		_, err := other.Exec(t.Context(), `SET LOCAL lock_timeout = '1s'; DROP VIEW read.invoices`)
		return err
	}); err != nil {
		t.Error(err)
	}
	if n, err := table.Count(t.Context(), tx, projectiontest.BusinessID, nil); err != nil || n == 0 {
		t.Errorf("%d rows afterwards, %v", n, err)
	}
}
