package exporting

import (
	"io"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
)

// parquetFile writes a Parquet file. It keeps one row group in memory, of
// RowGroupRows rows or about RowGroupBytes bytes at most.
type parquetFile struct {
	out     *parquet.GenericWriter[any]
	columns []Column
	row     parquet.Row
	rows    int // in the row group that is being filled, as is bytes
	bytes   int
}

func newParquet(w io.Writer, dataset string, columns []Column) *parquetFile {
	return &parquetFile{
		out: parquet.NewGenericWriter[any](w, parquet.NewSchema(dataset, newShape(columns)),
			parquet.Compression(&parquet.Snappy), parquet.CreatedBy("portal", "", "")),
		columns: columns,
		row:     make(parquet.Row, len(columns)),
	}
}

// shape is a group whose fields stay in the order of the columns.
type shape struct {
	parquet.Group
	order map[string]int
}

func newShape(columns []Column) shape {
	s := shape{parquet.Group{}, map[string]int{}}
	for i, c := range columns {
		s.Group[c.Name], s.order[c.Name] = parquet.Optional(c.node()), i
	}
	return s
}

func (s shape) Fields() []parquet.Field {
	fields := s.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int { return s.order[a.Name()] - s.order[b.Name()] })
	return fields
}

func (c Column) node() parquet.Node {
	switch c.Kind {
	case Integer:
		return parquet.Int(64)
	case Float:
		return parquet.Leaf(parquet.DoubleType)
	case Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case Timestamp:
		return parquet.Timestamp(parquet.Microsecond)
	case Instant:
		return parquet.Timestamp(parquet.Nanosecond)
	case Date:
		return parquet.Date()
	case JSON:
		return parquet.JSON()
	case Text:
	}
	return parquet.String()
}

func (e *parquetFile) Write(row []any) error {
	if err := check(e.columns, row); err != nil {
		return err
	}
	for i, value := range row {
		v := e.columns[i].parquet(value)
		defined := 1
		if v.IsNull() {
			defined = 0
		}
		e.row[i] = v.Level(0, defined, i)
	}
	if _, err := e.out.WriteRows([]parquet.Row{e.row}); err != nil {
		return err
	}
	e.rows++
	e.bytes += Size(row)
	if e.rows >= RowGroupRows || e.bytes >= RowGroupBytes {
		return e.Flush()
	}
	return nil
}

const day = 24 * time.Hour

func (c Column) parquet(value any) parquet.Value {
	switch v := value.(type) {
	case bool:
		return parquet.BooleanValue(v)
	case int64:
		return parquet.Int64Value(v)
	case float64:
		return parquet.DoubleValue(v)
	case string:
		return parquet.ByteArrayValue([]byte(v))
	case time.Time:
		switch c.Kind {
		case Date:
			return parquet.Int32Value(int32(v.Unix() / int64(day/time.Second)))
		case Instant:
			return parquet.Int64Value(v.UnixNano())
		default:
			return parquet.Int64Value(v.UnixMicro())
		}
	}
	return parquet.NullValue()
}

func (e *parquetFile) Flush() error {
	e.rows, e.bytes = 0, 0
	return e.out.Flush()
}

func (e *parquetFile) Close() error { return e.out.Close() }
