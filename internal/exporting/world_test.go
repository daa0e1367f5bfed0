package exporting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/internal/database"
	"portal.example/internal/exporting"
	readmodels "portal.example/projections"
	"portal.example/projections/businesses"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/quotes"
	"portal.example/projections/requests"
	"portal.example/projections/timeline"
)

// sample is all read models, with the sample of two businesses in them.
func sample(t *testing.T) *projectiontest.Live {
	t.Helper()
	live := projectiontest.Follow(t, businesses.Projection{}, customers.Projection{}, quotes.Projection{},
		invoices.Projection{}, requests.Projection{}, timeline.Projection{})
	mine, other := projectiontest.Sample()
	live.Append(t, mine, other)
	return live
}

// moment is a look at the rows of a business, as an export has it.
func moment(t *testing.T, readers *database.Readers, business string) pgx.Tx {
	t.Helper()
	tx, end, err := readers.Long(t.Context(), business, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return tx
}

func find(t *testing.T, tx pgx.Tx, name string, personal bool) *exporting.Table {
	t.Helper()
	table, err := exporting.Find(t.Context(), tx, name, personal, readmodels.Disclosed)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func names(t *testing.T, tx pgx.Tx) []string {
	t.Helper()
	names, err := exporting.Tables(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// toFolder exports a table into a folder.
func toFolder(t *testing.T, dir string, f exporting.Format, tx pgx.Tx, table *exporting.Table, business string) exporting.Manifest {
	t.Helper()
	folder, err := exporting.Open(dir, exporting.Manifest{
		Dataset: table.Name, Format: f, Columns: table.Columns, Scope: map[string]string{"business": business},
	})
	if err != nil {
		t.Fatal(err)
	}
	folder.At(table.Moment)
	for row, err := range table.Read(t.Context(), tx, business, folder.Manifest.After, 0) {
		if err == nil {
			err = folder.Write(row.Values, row.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := folder.Close(true); err != nil {
		t.Fatal(err)
	}
	return folder.Manifest
}

// parquetHead is what hyparquet says of a file before its rows.
type parquetHead struct {
	Columns []struct {
		Name    string         `json:"name"`
		Type    string         `json:"type"`
		Logical map[string]any `json:"logical"`
	} `json:"columns"`
	Groups []int `json:"groups"`
}

// byHyparquet reads the Parquet files of a dataset with hyparquet.
func byHyparquet(t *testing.T, dir string, m exporting.Manifest) (heads []parquetHead, rows []map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	installed, err := filepath.Glob(filepath.Join("nodejs", "node_modules", ".package-lock.json"))
	if err != nil || len(installed) == 0 {
		install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
		install.Dir = "nodejs"
		if output, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, output)
		}
	}
	args := []string{filepath.Join("nodejs", "rows.mjs")}
	for _, f := range m.Files {
		args = append(args, filepath.Join(dir, f.Name))
	}
	reader := exec.CommandContext(ctx, "node", args...)
	var errs bytes.Buffer
	reader.Stderr = &errs
	output, err := reader.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	lines := json.NewDecoder(bytes.NewReader(output))
	for _, f := range m.Files {
		var head parquetHead
		if err := lines.Decode(&head); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
		for range f.Rows {
			row := map[string]any{}
			if err := lines.Decode(&row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
	if lines.More() {
		t.Error("there are more rows in the files than the manifest says")
	}
	return heads, rows
}
