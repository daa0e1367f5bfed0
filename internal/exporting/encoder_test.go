package exporting_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"portal.example/internal/exporting"
)

var shape = []exporting.Column{
	{Name: "id", Kind: exporting.Text},
	{Name: "n", Kind: exporting.Integer},
	{Name: "x", Kind: exporting.Float},
	{Name: "at", Kind: exporting.Instant},
	{Name: "on", Kind: exporting.Date},
	{Name: "more", Kind: exporting.JSON},
	{Name: "is", Kind: exporting.Boolean},
}

func encoded(t *testing.T, f exporting.Format, rows ...[]any) string {
	t.Helper()
	var out bytes.Buffer
	encoder, err := exporting.NewEncoder(f, &out, "things", shape, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := encoder.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 12, 0, 0, 1, time.FixedZone("", 3600))
	rows := [][]any{
		{"<a & \"b\">\n", int64(math.MaxInt64), 0.5, at, time.Date(1969, 7, 20, 0, 0, 0, 0, time.UTC), `{"a": [1]}`, true},
		{nil, nil, nil, nil, nil, nil, nil},
	}
	const lines = `{"id":"<a & \"b\">\n","n":9223372036854775807,"x":0.5,"at":"2026-03-14T11:00:00.000000001Z","on":"1969-07-20","more":{"a": [1]},"is":true}
{"id":null,"n":null,"x":null,"at":null,"on":null,"more":null,"is":null}
`
	if got := encoded(t, exporting.JSONLines, rows...); got != lines {
		t.Errorf("JSON Lines:\n%s", got)
	}
	const cells = `id,n,x,at,on,more,is
"<a & ""b"">
",9223372036854775807,0.5,2026-03-14T11:00:00.000000001Z,1969-07-20,"{""a"": [1]}",true
,,,,,,
`
	if got := encoded(t, exporting.CSV, rows...); got != cells {
		t.Errorf("CSV:\n%s", got)
	}
}

// No cell is a formula to a spreadsheet, and every text can be had back.
func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	texts := []string{"=HYPERLINK(\"http://example.com\")", "+1 555 0100", "-2", "@SUM(A1)", "\t=1", "\r=1", "'quoted", "''", "", "a=b", "–"}
	var rows [][]any
	for _, text := range texts {
		rows = append(rows, []any{text, int64(-1), nil, nil, nil, nil, nil})
	}
	records, err := csv.NewReader(strings.NewReader(encoded(t, exporting.CSV, rows...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		cell := records[i+1][0]
		if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
			t.Errorf("%q is a formula", cell)
		}
		if strings.TrimPrefix(cell, "'") != text {
			t.Errorf("%q came back as %q", text, cell)
		}
		if records[i+1][1] != "-1" {
			t.Errorf("a number became %q", records[i+1][1])
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	for _, f := range exporting.Formats {
		encoder, err := exporting.NewEncoder(f, io.Discard, "things", shape[:1], true)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range [][]any{{}, {"a", "b"}, {int64(1)}, {time.Now()}, {struct{}{}}} {
			if err := encoder.Write(row); err == nil {
				t.Errorf("%s took %v", f, row)
			}
		}
		for _, names := range [][]exporting.Column{{{Name: "a,b", Kind: exporting.Text}}, {{}}, {shape[0], shape[0]}} {
			if _, err := exporting.NewEncoder(f, io.Discard, "things", names, true); err == nil {
				t.Errorf("%s took columns %v", f, names)
			}
		}
	}
	if _, err := exporting.ParseFormat("xlsx"); err == nil {
		t.Error("xlsx is no format")
	}
}

// However much is exported, a row group is what is in memory.
func TestMemoryIsBounded(t *testing.T) { // not beside others: it looks at the heap
	var out bytes.Buffer
	var live []uint64 // bytes of the heap in use, by the end of each tenth
	const tenth = 2 * exporting.RowGroupRows
	keep := counting{}
	encoder, err := exporting.NewEncoder(exporting.Parquet, &keep, "things", shape, true)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 100)
	for n := range 10 * tenth {
		if err := encoder.Write([]any{text, int64(n), 0.5, time.Unix(int64(n), 0), time.Unix(0, 0), `{"a":1}`, true}); err != nil {
			t.Fatal(err)
		}
		if n%tenth == tenth-1 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			live = append(live, m.HeapAlloc)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	if last := live[len(live)-1]; last > live[0]+2<<20 {
		t.Errorf("the heap went from %d to %d bytes: %v", live[0], last, live)
	}

	// Large rows fill a row group sooner.
	encoder, err = exporting.NewEncoder(exporting.Parquet, &out, "things", shape[:1], true)
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("y", exporting.RowGroupBytes/8)
	for range 20 {
		if err := encoder.Write([]any{large}); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range f.RowGroups() {
		if group.NumRows() > 8 {
			t.Errorf("a row group of %d rows of a megabyte each", group.NumRows())
		}
	}
}

type counting struct{ bytes int }

func (c *counting) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}
