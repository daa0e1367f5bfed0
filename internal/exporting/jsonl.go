package exporting

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"
)

// jsonLines writes an object a line, its members in the order of the columns. A
// value that is absent is null, so that all lines have the same members.
type jsonLines struct {
	out     *bufio.Writer
	columns []Column
	names   [][]byte // encoded, with the colon
	line    bytes.Buffer
	text    *json.Encoder // into line
}

// lineBuffer is how many bytes of lines are written at once.
const lineBuffer = 256 << 10

func newJSONLines(w io.Writer, columns []Column) (*jsonLines, error) {
	e := &jsonLines{out: bufio.NewWriterSize(w, lineBuffer), columns: columns}
	e.text = json.NewEncoder(&e.line)
	e.text.SetEscapeHTML(false) // what is exported is no HTML
	for _, c := range columns {
		name, err := json.Marshal(c.Name)
		if err != nil {
			return nil, err
		}
		e.names = append(e.names, append(name, ':'))
	}
	return e, nil
}

func (e *jsonLines) Write(row []any) error {
	if err := check(e.columns, row); err != nil {
		return err
	}
	e.line.Reset()
	e.line.WriteByte('{')
	for i, value := range row {
		if i > 0 {
			e.line.WriteByte(',')
		}
		e.line.Write(e.names[i])
		if err := e.value(e.columns[i].Kind, value); err != nil {
			return err
		}
	}
	e.line.WriteString("}\n")
	_, err := e.out.Write(e.line.Bytes())
	return err
}

func (e *jsonLines) value(kind Kind, value any) error {
	switch v := value.(type) {
	case nil:
		e.line.WriteString("null")
	case bool:
		e.line.WriteString(strconv.FormatBool(v))
	case int64:
		e.line.WriteString(strconv.FormatInt(v, 10))
	case time.Time:
		return e.encode(timeText(v, kind))
	case string:
		if kind == JSON {
			e.line.WriteString(v)
			return nil
		}
		return e.encode(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) { // no numbers to JSON
			return e.encode(strconv.FormatFloat(v, 'g', -1, 64))
		}
		return e.encode(v)
	}
	return nil
}

func (e *jsonLines) encode(value any) error {
	if err := e.text.Encode(value); err != nil {
		return err
	}
	e.line.Truncate(e.line.Len() - 1) // the line's end that Encode adds
	return nil
}

func (e *jsonLines) Flush() error { return e.out.Flush() }

func (e *jsonLines) Close() error { return e.Flush() }
