package importing

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits on a file, which is held in memory.
const (
	maxBytes = 256 << 20 // unpacked
	maxRows  = 1_000_000
)

// Row is a step of a case as the file has it.
type Row struct {
	Line   int // in the unpacked file, from 1
	Fields []string

	columns []string
	seq     int // place in the case; beyond all others where the file does not say
}

// Case is the rows of one case, in order.
type Case struct {
	ID   string
	Rows []Row
}

// File is a whole file, its cases in the order in which they began to appear.
type File struct {
	Format Format
	Cases  []Case
	Rows   int
}

// Read takes in a file, and refuses one that is not of the format: damaged, of
// other columns, not in UTF-8, or too large. What is in the rows is for the
// decisions to judge, one by one.
func Read(r io.Reader, format Format) (File, error) {
	plain, err := unpacked(r)
	if err != nil {
		return File{}, err
	}
	limited := &io.LimitedReader{R: plain, N: maxBytes + 1}
	rows, err := readRows(limited, format.Columns)
	switch {
	case limited.N <= 0:
		return File{}, fmt.Errorf("the file has more than %d MiB", maxBytes>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return File{}, errors.New("the gzip file is cut short")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return File{}, fmt.Errorf("the gzip file is damaged: %w", err)
	case err != nil:
		return File{}, err
	}
	return File{Format: format, Cases: byCase(rows), Rows: len(rows)}, nil
}

// NewFile is a file whose rows come from a program. They have all the columns of
// the format.
func NewFile(format Format, records [][]string) File {
	rows := make([]Row, len(records))
	for i, fields := range records {
		rows[i] = newRow(i+2, fields, format.Columns) // line 1 would be the header
	}
	return File{Format: format, Cases: byCase(rows), Rows: len(rows)}
}

// unpacked is the text, whether or not it is gzipped, without a byte order mark.
func unpacked(r io.Reader) (io.Reader, error) {
	packed := bufio.NewReader(r)
	start, err := packed.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text := packed
	if bytes.Equal(start, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, fmt.Errorf("the gzip file is damaged: %w", err)
		}
		text = bufio.NewReader(z)
	}
	if mark, _ := text.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) {
		_, _ = text.Discard(len(mark)) // they are in the buffer
	}
	return text, nil
}

func readRows(r io.Reader, columns []string) ([]Row, error) {
	records := csv.NewReader(r)
	records.FieldsPerRecord = -1 // so that the header is told from a row
	header, err := records.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty")
	case err != nil && !isParseError(err):
		return nil, err
	case !slices.Equal(header, columns):
		return nil, fmt.Errorf("line 1 is not the header %s", strings.Join(columns, ","))
	}
	records.FieldsPerRecord = len(columns)
	var rows []Row
	for {
		fields, err := records.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err // which names the line
		}
		line, _ := records.FieldPos(0)
		for i, f := range fields {
			if !utf8.ValidString(f) || strings.ContainsRune(f, 0) {
				return nil, fmt.Errorf("line %d: %s is not text in UTF-8", line, columns[i])
			}
		}
		if len(rows) == maxRows {
			return nil, fmt.Errorf("the file has more than %d rows", maxRows)
		}
		rows = append(rows, newRow(line, fields, columns))
	}
}

func isParseError(err error) bool {
	_, is := errors.AsType[*csv.ParseError](err)
	return is
}

func newRow(line int, fields, columns []string) Row {
	row := Row{Line: line, Fields: fields, columns: columns, seq: math.MaxInt}
	if seq, err := strconv.Atoi(row.field("seq")); err == nil && seq >= 0 {
		row.seq = seq
	}
	return row
}

// field is what stands in a column of the format.
func (r Row) field(column string) string { return r.Fields[slices.Index(r.columns, column)] }

// byCase puts together what belongs together, wherever in the file it stands.
func byCase(rows []Row) []Case {
	var cases []Case
	known := map[string]int{}
	for _, row := range rows {
		id := row.field("case")
		i, seen := known[id]
		if !seen {
			i = len(cases)
			known[id] = i
			cases = append(cases, Case{ID: id})
		}
		cases[i].Rows = append(cases[i].Rows, row)
	}
	for _, c := range cases {
		slices.SortStableFunc(c.Rows, func(a, b Row) int { return cmp.Compare(a.seq, b.seq) })
	}
	return cases
}
