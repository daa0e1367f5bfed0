package domain

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on what people type, in characters.
const (
	MaxName  = 200  // names, titles, references: one line
	MaxProse = 4000 // reasons, questions, descriptions: several lines
)

// Check collects what is wrong with a command, so that its sender learns of
// every field at once. The zero Check is ready to use.
type Check struct {
	problems []*Error
}

// Fail notes that a field is at fault. Args come in pairs of name and value:
// the values that the message contains.
func (c *Check) Fail(field, code, message string, args ...string) {
	problem := &Error{Kind: Invalid, Code: code, Message: message, Field: field}
	if len(args) > 0 {
		problem.Args = make(map[string]string, len(args)/2)
	}
	for i := 0; i+1 < len(args); i += 2 {
		problem.Args[args[i]] = args[i+1]
	}
	c.problems = append(c.problems, problem)
}

// Add notes an error that something else found in the field; nil is none.
func (c *Check) Add(field string, err error) {
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*Error](err); ok {
		c.problems = append(c.problems, e.In(field))
		return
	}
	c.Fail(field, "invalid", err.Error())
}

// Err is nil if nothing was at fault, the one problem, or all of them in one.
func (c *Check) Err() error {
	switch len(c.problems) {
	case 0:
		return nil
	case 1:
		return c.problems[0]
	}
	return &Error{
		Kind:    Invalid,
		Code:    "invalid",
		Message: fmt.Sprintf("%d fields are not acceptable", len(c.problems)),
		Fields:  c.problems,
	}
}

// ID demands a UUID in its canonical, lower-case form.
func (c *Check) ID(field, id string) {
	if !isUUID(id) {
		c.Fail(field, "not_an_id", "must be a UUID in lower case")
	}
}

// OptionalID accepts an empty id as well.
func (c *Check) OptionalID(field, id string) {
	if id != "" {
		c.ID(field, id)
	}
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if r != '-' {
				return false
			}
		case (r < '0' || r > '9') && (r < 'a' || r > 'f'):
			return false
		}
	}
	return true
}

// Line demands one line of text, of at most limit characters.
func (c *Check) Line(field, text string, limit int) {
	if c.required(field, text) {
		c.text(field, text, limit, false)
	}
}

// OptionalLine accepts an empty line as well.
func (c *Check) OptionalLine(field, text string, limit int) {
	c.text(field, text, limit, false)
}

// Prose demands text that may have several lines, of at most MaxProse characters.
func (c *Check) Prose(field, text string) {
	if c.required(field, text) {
		c.text(field, text, MaxProse, true)
	}
}

// OptionalProse accepts an empty text as well.
func (c *Check) OptionalProse(field, text string) {
	c.text(field, text, MaxProse, true)
}

func (c *Check) required(field, text string) bool {
	if strings.TrimSpace(text) == "" {
		c.Fail(field, "required", "must not be empty")
		return false
	}
	return true
}

// text refuses control characters because they hide things from a reader, and
// because Postgres cannot keep a NUL in text.
func (c *Check) text(field, text string, limit int, lines bool) {
	if !utf8.ValidString(text) {
		c.Fail(field, "not_utf8", "must be valid UTF-8")
		return
	}
	if n := utf8.RuneCountInString(text); n > limit {
		c.Fail(field, "too_long", fmt.Sprintf("has %d characters, at most %d are allowed", n, limit),
			"count", strconv.Itoa(n), "limit", strconv.Itoa(limit))
	}
	for _, r := range text {
		if unicode.IsControl(r) && (!lines || r != '\n' && r != '\r' && r != '\t') {
			c.Fail(field, "control_character", "must not contain control characters")
			return
		}
	}
}

// Count demands between least and most of something.
func (c *Check) Count(field string, n, least, most int) {
	if n < least || n > most {
		c.Fail(field, "count", fmt.Sprintf("has %d entries, from %d to %d are allowed", n, least, most),
			"count", strconv.Itoa(n), "least", strconv.Itoa(least), "most", strconv.Itoa(most))
	}
}

// Time demands a time that RFC 3339 can write.
func (c *Check) Time(field string, t time.Time) {
	if t.IsZero() || t.Year() < 1900 || t.Year() > 9999 {
		c.Fail(field, "not_a_time", "must be a time between the years 1900 and 9999")
	}
}

// OptionalTime accepts no time as well.
func (c *Check) OptionalTime(field string, t time.Time) {
	if !t.IsZero() {
		c.Time(field, t)
	}
}

// Language demands a language that the portal speaks.
func (c *Check) Language(field, language string) {
	OneOf(c, field, language, English, Japanese)
}

// OneOf demands one of the values that a field can have.
func OneOf[T ~string](c *Check, field string, value T, allowed ...T) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if a == value {
			return
		}
		names[i] = string(a)
	}
	list := strings.Join(names, ", ")
	c.Fail(field, "not_one_of", "must be one of "+list, "allowed", list)
}
