package exporting

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// csvLines writes RFC 4180's format with \n at the end of lines. Absent values
// and empty texts are both empty cells: the other formats tell them apart.
type csvLines struct {
	out     *csv.Writer
	columns []Column
	cells   []string
}

func newCSV(w io.Writer, columns []Column, heading bool) (*csvLines, error) {
	e := &csvLines{out: csv.NewWriter(w), columns: columns, cells: make([]string, len(columns))}
	if !heading {
		return e, nil
	}
	for i, c := range columns {
		e.cells[i] = guarded(c.Name)
	}
	return e, e.out.Write(e.cells)
}

func (e *csvLines) Write(row []any) error {
	if err := check(e.columns, row); err != nil {
		return err
	}
	for i, value := range row {
		switch v := value.(type) {
		case nil:
			e.cells[i] = ""
		case bool:
			e.cells[i] = strconv.FormatBool(v)
		case int64:
			e.cells[i] = strconv.FormatInt(v, 10)
		case float64:
			e.cells[i] = strconv.FormatFloat(v, 'g', -1, 64)
		case time.Time:
			e.cells[i] = timeText(v, e.columns[i].Kind)
		case string:
			e.cells[i] = guarded(v)
		}
	}
	return e.out.Write(e.cells)
}

// guarded is a text that a spreadsheet does not take for a formula, which what a
// customer typed could otherwise be: an apostrophe goes before =, +, -, @, tab
// and carriage return, and before an apostrophe. A reader that takes one
// apostrophe off the beginning of a text has the text as it was.
func guarded(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r'", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (e *csvLines) Flush() error {
	e.out.Flush()
	return e.out.Error()
}

func (e *csvLines) Close() error { return e.Flush() }
