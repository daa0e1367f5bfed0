package projectiontest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// Expect applies the history in one batch and compares the one row of a table
// that has the key, as far as want has columns.
func Expect(t *testing.T, conn *pgx.Conn, p Projection, h *History, table, key, id string, want map[string]any) {
	t.Helper()
	var found []map[string]any
	for _, text := range After(t.Context(), t, conn, p, h.Events)[table] {
		var row map[string]any
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		if row[key] == id {
			found = append(found, row)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d rows for %s", table, len(found), id)
	}
	got := make(map[string]any)
	for column := range want {
		got[column] = found[0][column]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", table, diff)
	}
}
