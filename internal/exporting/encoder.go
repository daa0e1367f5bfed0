package exporting

import (
	"fmt"
	"io"
)

// Encoder writes rows of one shape in a format.
type Encoder interface {
	// Write takes a row, with a value for each column.
	Write(row []any) error

	// Flush hands what is buffered to the writer. Of Parquet that ends a row
	// group.
	Flush() error

	// Close also writes what stands at the end. The writer stays open.
	Close() error
}

// The bounds of a row group, which is all that an encoder keeps in memory:
// rows, and bytes before compression.
const (
	RowGroupRows  = 10_000
	RowGroupBytes = 8 << 20
)

// NewEncoder makes an encoder of rows with these columns. Of CSV, heading says
// whether the names of the columns come first: not where rows are added to a
// file that has them.
func NewEncoder(f Format, w io.Writer, dataset string, columns []Column, heading bool) (Encoder, error) {
	if err := checkColumns(columns); err != nil {
		return nil, err
	}
	switch f {
	case JSONLines:
		return newJSONLines(w, columns)
	case CSV:
		return newCSV(w, columns, heading)
	case Parquet:
		return newParquet(w, dataset, columns), nil
	}
	return nil, fmt.Errorf("exporting: %q is no format", f)
}
