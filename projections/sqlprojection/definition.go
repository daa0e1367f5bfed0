// Package sqlprojection lets analysts write projections in SQL. A definition is
// a folder with the file projection.sql: its name and version, its tables, and
// for types of events one statement each, which changes the tables for a set of
// events at once. See docs/analysts.md.
//
// A definition is checked before it runs: it is parsed by Postgres, tied to its
// own tables and to functions without effects, and tried on events of the log.
// It runs under a role of its own that has rights to its tables and no others,
// and within limits.
package sqlprojection

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// largestSource bounds a definition, in bytes.
const largestSource = 256 << 10

// Definition is a projection as an analyst wrote it.
type Definition struct {
	Name     string
	Version  int
	Personal bool // it wants to see personal fields
	Source   string

	tables     []table
	ddl        []part // CREATE TABLE and CREATE INDEX, in their order
	statements []statement
}

// part is a statement of the file, without the semicolon.
type part struct {
	sql  string
	from int // offset in the file
}

// table is one that the definition creates.
type table struct {
	name string
	from int
}

// statement is run, over the events of its types, for every batch that has any.
type statement struct {
	part
	types []string
	typed []int // offsets of the types
	rest  part  // what follows its WITH, if it begins with one; else all of it
	with  string
}

// Types are the events that the statements are for, each once.
func (d *Definition) Types() []string {
	var types []string
	for _, s := range d.statements {
		types = append(types, s.types...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Tables are the names of the tables, in the file's order.
func (d *Definition) Tables() []string {
	names := make([]string, len(d.tables))
	for i, t := range d.tables {
		names[i] = t.name
	}
	return names
}

// Load reads the definition in a folder.
func Load(folder string) (*Definition, error) {
	path := filepath.Join(folder, FileName)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("sqlprojection: folder %s has no %s", folder, FileName)
	case err != nil:
		return nil, fmt.Errorf("sqlprojection: %w", err)
	case info.Size() > largestSource:
		return nil, fmt.Errorf("sqlprojection: %s has more than %d KiB", path, largestSource>>10)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("sqlprojection: %w", err)
	}
	return Parse(string(source))
}

// heading is a comment that says what follows it.
var heading = regexp.MustCompile(`^-- ?(name|version|personal|tables|on):[ \t]*(.*?)[ \t]*$`)

// section is what stands below a heading.
type section struct {
	heading, value string
	at, valueAt    int // offsets of the heading and of its value
	tokens         []token
}

// Parse reads a definition. What it refuses is a *Problem; that its SQL is right
// is for Check to find out.
func Parse(source string) (*Definition, error) {
	if len(source) > largestSource {
		return nil, fmt.Errorf("sqlprojection: a definition of more than %d KiB", largestSource>>10)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	d := &Definition{Source: source}
	if err := d.refuseClock(tokens); err != nil {
		return nil, err
	}
	sections, err := d.cut(tokens)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for _, s := range sections {
		if s.heading != "on" && seen[s.heading] {
			return nil, d.problemf(s.at, "a second %q", "-- "+s.heading+":")
		}
		seen[s.heading] = true
		if err := d.read(s); err != nil {
			return nil, err
		}
	}
	for _, needed := range []string{"name", "version", "tables", "on"} {
		if !seen[needed] {
			return nil, (&Problem{Message: fmt.Sprintf("there is no line that begins with %q", "-- "+needed+":")}).
				hint("a definition has -- name:, -- version:, -- tables: and one or more -- on: TypeOfEvent, …")
		}
	}
	return d, nil
}

// refuseClock refuses texts that Postgres reads as the present moment where a date
// or a time is wanted.
func (d *Definition) refuseClock(tokens []token) error {
	for _, t := range tokens {
		if t.kind != text {
			continue
		}
		for _, w := range strings.Fields(strings.ToLower(strings.Trim(t.text, "'"))) {
			if slices.Contains([]string{"now", "today", "tomorrow", "yesterday"}, w) {
				return d.problemf(t.from, "'%s' would be the clock", w).
					hint("that is not in any event: a replay would give other rows; use occurred_at or recorded_at")
			}
		}
	}
	return nil
}

// cut sorts the tokens below their headings.
func (d *Definition) cut(tokens []token) ([]section, error) {
	var sections []section
	for _, t := range tokens {
		if t.kind == comment {
			begins := t.from == 0 || d.Source[t.from-1] == '\n'
			if m := heading.FindStringSubmatchIndex(t.text); begins && m != nil && t.depth == 0 {
				sections = append(sections, section{
					heading: t.text[m[2]:m[3]], value: t.text[m[4]:m[5]], at: t.from, valueAt: t.from + m[4],
				})
			}
			continue
		}
		if len(sections) == 0 || !slices.Contains([]string{"tables", "on"}, sections[len(sections)-1].heading) {
			return nil, d.problemf(t.from, "SQL that stands neither below -- tables: nor below -- on:")
		}
		last := &sections[len(sections)-1]
		last.tokens = append(last.tokens, t)
	}
	return sections, nil
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (d *Definition) read(s section) (err error) {
	switch s.heading {
	case "name":
		if !validName.MatchString(s.value) {
			return d.problemf(s.valueAt, "name: %q is no name of lower case letters, digits and _, at most 40", s.value)
		}
		d.Name = s.value
	case "version":
		if d.Version, err = strconv.Atoi(s.value); err != nil || d.Version < 1 || d.Version > 1_000_000 {
			return d.problemf(s.valueAt, "version: %q is no whole number from 1 to 1000000", s.value)
		}
	case "personal":
		if s.value != "yes" && s.value != "no" {
			return d.problemf(s.valueAt, "personal: %q is neither yes nor no", s.value)
		}
		d.Personal = s.value == "yes"
	case "tables":
		return d.readTables(s)
	case "on":
		return d.readStatement(s)
	}
	return nil
}

// split cuts tokens at semicolons.
func split(tokens []token) (statements [][]token) {
	var current []token
	for _, t := range tokens {
		if !t.is(";") {
			current = append(current, t)
		} else if len(current) > 0 {
			statements, current = append(statements, current), nil
		}
	}
	if len(current) > 0 {
		statements = append(statements, current)
	}
	return statements
}

func (d *Definition) part(tokens []token) part {
	return part{sql: d.Source[tokens[0].from:tokens[len(tokens)-1].to], from: tokens[0].from}
}

func (d *Definition) readStatement(s section) error {
	st := statement{}
	offset := s.valueAt
	for name := range strings.SplitSeq(s.value, ",") {
		trimmed := strings.TrimSpace(name)
		if trimmed == "" {
			return d.problemf(offset, "on: the name of a type of events is missing")
		}
		at := offset + strings.Index(name, trimmed)
		if slices.Contains(st.types, trimmed) {
			return d.problemf(at, "on: %s is named twice", trimmed)
		}
		st.types, st.typed = append(st.types, trimmed), append(st.typed, at)
		offset += len(name) + 1
	}
	found := split(s.tokens)
	switch {
	case len(found) == 0:
		return d.problemf(s.at, "no statement follows this line")
	case len(found) > 1:
		return d.problemf(found[1][0].from, "a second statement below one -- on:").
			hint("each -- on: has one statement; a type of events may be named by several -- on:")
	}
	tokens := found[0]
	st.part = d.part(tokens)
	if first := tokens[0]; !first.is("insert", "update", "delete", "merge", "with") {
		return d.problemf(first.from, "%s is not allowed here", strings.ToUpper(d.Source[first.from:first.to])).
			hint("below -- on: stands one INSERT, UPDATE, DELETE or MERGE, which WITH may precede")
	}
	st.with, st.rest = "WITH ", st.part
	if tokens[0].is("with") {
		tokens = tokens[1:]
		if len(tokens) > 0 && tokens[0].is("recursive") {
			st.with += "RECURSIVE "
			tokens = tokens[1:]
		}
		if len(tokens) == 0 {
			return d.problemf(st.from, "WITH of nothing")
		}
		st.rest = d.part(tokens)
	}
	d.statements = append(d.statements, st)
	return nil
}
