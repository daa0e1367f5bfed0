package sqlprojection

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// FileName is the one file of a definition's folder.
const FileName = "projection.sql"

// Problem is what is wrong with a definition, and where.
type Problem struct {
	Line, Column int // in the file, from 1; 0 where no place can be named
	Message      string
	Hint         string // what may help, or empty

	cause error
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(FileName)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": " + p.Message)
	if p.Hint != "" {
		b.WriteString("\n    " + p.Hint)
	}
	return b.String()
}

func (p *Problem) Unwrap() error { return p.cause }

// problemf is a problem at an offset in bytes of the file.
func (d *Definition) problemf(offset int, format string, args ...any) *Problem {
	return at(d.Source, offset, fmt.Sprintf(format, args...))
}

func at(source string, offset int, message string) *Problem {
	before := source[:min(offset, len(source))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &Problem{Line: line, Column: column, Message: message}
}

func (p *Problem) hint(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// refused finds the place in the file that an error of Postgres is about. The
// text that Postgres was given had these many characters before the part that
// begins at offset in the file.
func (d *Definition) refused(err error, offset, before int) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	if place := int(pg.Position) - 1 - before; pg.Position > 0 && place >= 0 {
		for range place {
			_, size := utf8.DecodeRuneInString(d.Source[min(offset, len(d.Source)):])
			offset += size
		}
	}
	p := d.problemf(offset, "%s", pg.Message)
	p.cause = err
	var hints []string
	for _, text := range []string{pg.Detail, pg.Hint} {
		if text != "" {
			hints = append(hints, text)
		}
	}
	return p.hint("%s", strings.Join(hints, " "))
}
