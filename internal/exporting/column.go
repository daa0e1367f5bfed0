package exporting

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what the values of a column are. A value that is absent is nil.
type Kind string

// The kinds, with the Go type of their values.
const (
	Text      Kind = "text"         // string
	Integer   Kind = "integer"      // int64
	Float     Kind = "float"        // float64
	Boolean   Kind = "boolean"      // bool
	Timestamp Kind = "timestamp"    // time.Time, to the microsecond, UTC
	Instant   Kind = "timestamp-ns" // time.Time, to the nanosecond, UTC
	Date      Kind = "date"         // time.Time at midnight, UTC
	JSON      Kind = "json"         // string, a JSON value on one line
)

// Column is a column of a dataset.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"type"`
}

// Format is a way to write rows.
type Format string

// The formats.
const (
	JSONLines Format = "jsonl"
	CSV       Format = "csv"
	Parquet   Format = "parquet"
)

// Formats are all of them.
var Formats = []Format{JSONLines, CSV, Parquet}

// ParseFormat is the format of this name.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); slices.Contains(Formats, f) {
		return f, nil
	}
	return "", fmt.Errorf("must be jsonl, csv or parquet, not %.40q", name)
}

// ContentType is the media type of the format.
func (f Format) ContentType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8"
	case Parquet:
		return "application/vnd.apache.parquet"
	case JSONLines:
	}
	return "application/jsonl"
}

// timeText is a time as the formats of text have it.
func timeText(t time.Time, k Kind) string {
	if k == Date {
		return t.Format(time.DateOnly)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Size is about how many bytes a row takes in memory.
func Size(row []any) int {
	bytes := 0
	for _, value := range row {
		bytes += 16
		if text, ok := value.(string); ok {
			bytes += len(text)
		}
	}
	return bytes
}

// check demands a value of its kind for each column.
func check(columns []Column, row []any) error {
	if len(row) != len(columns) {
		return fmt.Errorf("exporting: a row of %d values for %d columns", len(row), len(columns))
	}
	for i, value := range row {
		if !columns[i].holds(value) {
			return fmt.Errorf("exporting: column %s is %s and cannot hold a %T", columns[i].Name, columns[i].Kind, value)
		}
	}
	return nil
}

func (c Column) holds(value any) bool {
	switch value.(type) {
	case nil:
		return true
	case string:
		return c.Kind == Text || c.Kind == JSON
	case int64:
		return c.Kind == Integer
	case float64:
		return c.Kind == Float
	case bool:
		return c.Kind == Boolean
	case time.Time:
		return c.Kind == Timestamp || c.Kind == Instant || c.Kind == Date
	}
	return false
}

// checkColumns demands names that all formats can hold, each of them once.
func checkColumns(columns []Column) error {
	seen := map[string]bool{}
	for _, c := range columns {
		if c.Name == "" || strings.ContainsAny(c.Name, ",\x00") || seen[c.Name] {
			return fmt.Errorf("exporting: %q cannot be the name of a column", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}
