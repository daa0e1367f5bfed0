package sqlprojection

import (
	"strings"
)

// Tables are made under the rights of the portal, so what creates them is held
// to a form in which nothing is computed and nobody else's table can be named:
//
//	CREATE TABLE name (…)
//	CREATE [UNIQUE] INDEX [name] ON name …
//
// with plain names. What defaults and constraints call, Check looks at.

const formOfTables = "below -- tables: stand CREATE TABLE name (…) and CREATE [UNIQUE] INDEX name ON name (…), with plain names"

func (d *Definition) readTables(s section) error {
	for _, tokens := range split(s.tokens) {
		if err := d.readTable(tokens); err != nil {
			return err
		}
		d.ddl = append(d.ddl, d.part(tokens))
	}
	if len(d.tables) == 0 {
		return d.problemf(s.at, "no CREATE TABLE follows this line")
	}
	return nil
}

func (d *Definition) readTable(tokens []token) error {
	if err := d.plain(tokens); err != nil {
		return err
	}
	c := cursor{tokens: tokens}
	if !c.take("create") {
		return d.unlike(tokens[0])
	}
	if c.take("table") {
		return d.readCreateTable(&c)
	}
	c.take("unique")
	if !c.take("index") {
		return d.unlike(c.here())
	}
	if !c.is("on") { // an index needs no name
		c.skip()
	}
	if !c.take("on") {
		return d.unlike(c.here())
	}
	return nil
}

func (d *Definition) readCreateTable(c *cursor) error {
	name := c.here()
	switch {
	case name.kind != word || !validName.MatchString(name.text):
		return d.unlike(name)
	case name.text == "events":
		return d.problemf(name.from, "a table cannot be named events: that is what statements read")
	}
	c.skip()
	if !c.is("(") {
		return d.unlike(c.here())
	}
	for c.skip(); !c.over() && c.here().depth > 0; {
		c.skip()
	}
	if !c.take(")") || !c.over() {
		return d.unlike(c.here())
	}
	for _, t := range d.tables {
		if t.name == name.text {
			return d.problemf(name.from, "a second table %s", t.name)
		}
	}
	d.tables = append(d.tables, table{name: name.text, from: name.from})
	return nil
}

// plain refuses qualified names, through which another schema could be reached.
func (d *Definition) plain(tokens []token) error {
	for i, t := range tokens {
		if i > 0 && t.is(".") && (tokens[i-1].kind == word || tokens[i-1].kind == quoted) {
			return d.problemf(tokens[i-1].from, "a name with a schema: %s",
				strings.TrimSpace(d.Source[tokens[i-1].from:t.to])).hint(formOfTables)
		}
	}
	return nil
}

func (d *Definition) unlike(t token) error {
	said := strings.ToUpper(d.Source[t.from:t.to])
	if said == "" {
		return d.problemf(t.from, "the statement ends too early").hint(formOfTables)
	}
	return d.problemf(t.from, "%s is not allowed here", said).hint(formOfTables)
}

// cursor goes through the tokens of a statement.
type cursor struct {
	tokens []token
	at     int
}

func (c *cursor) over() bool { return c.at >= len(c.tokens) }

// here is the token in question, or an empty one after the last.
func (c *cursor) here() token {
	if c.over() {
		end := c.tokens[len(c.tokens)-1].to
		return token{kind: other, from: end, to: end}
	}
	return c.tokens[c.at]
}

func (c *cursor) is(w string) bool { return c.here().is(w) }

func (c *cursor) skip() { c.at++ }

func (c *cursor) take(w string) bool {
	if !c.is(w) {
		return false
	}
	c.at++
	return true
}
