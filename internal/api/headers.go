package api

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portal.example/domain"
	"portal.example/eventstore"
)

// Waiting is embedded in the input of routes that read: a reader who sends back
// the position of a command's answer sees what that command did.
type Waiting struct {
	Position string `header:"Portal-Position" maxLength:"40" doc:"Position that an earlier answer gave: this one will include everything up to it"`
}

// WaitFor is the position to wait for; ok is false where the reader named none.
func (w Waiting) WaitFor() (position eventstore.Position, ok bool, err error) {
	if w.Position == "" {
		return eventstore.Position{}, false, nil
	}
	position, err = eventstore.ParsePosition(w.Position)
	if err != nil {
		return eventstore.Position{}, false, &domain.Error{
			Kind: domain.Invalid, Code: "not_a_position", Field: "Portal-Position",
			Message: "must be the Portal-Position of an earlier answer",
		}
	}
	return position, true, nil
}

// AsOf is embedded in the output of routes that read: up to when the answer is
// complete.
type AsOf struct {
	AsOf string `header:"Portal-As-Of" doc:"RFC 3339 time up to which the answer is complete"`
}

// AsOfTime makes the header of a moment.
func AsOfTime(t time.Time) AsOf {
	return AsOf{AsOf: t.UTC().Format(time.RFC3339Nano)}
}

// Idempotent is embedded in the input of every command.
type Idempotent struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"Makes a repeat of the request safe: it gets the first answer and changes nothing. Without one every request is a new one."`
}

// KeyOrNew is the request's key, or a fresh one where it has none.
func (i Idempotent) KeyOrNew() string {
	if i.Key == "" {
		return rand.Text()
	}
	return i.Key
}

// Conditional is embedded in the input of commands on a document.
type Conditional struct {
	IfMatch string `header:"If-Match" maxLength:"100" doc:"ETag of the document as it was read: 412 if it has changed since"`
}

// Version is the version that the sender has seen; ok is false where they do
// not care.
func (c Conditional) Version() (version int, ok bool, err error) {
	if c.IfMatch == "" || c.IfMatch == "*" {
		return 0, false, nil
	}
	digits, opened := strings.CutPrefix(c.IfMatch, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	version, err = strconv.Atoi(digits)
	if !opened || !closed || err != nil || version < 1 {
		return 0, false, &domain.Error{
			Kind: domain.Invalid, Code: "not_an_etag", Field: "If-Match",
			Message: `must be one ETag that the portal gave, such as "3"`,
		}
	}
	return version, true, nil
}

// RequiredVersion is Version for changes that must not be made blindly.
func (c Conditional) RequiredVersion() (version int, err error) {
	version, ok, err := c.Version()
	if err == nil && !ok {
		err = newDetails(http.StatusPreconditionRequired, "if_match_required",
			"say in If-Match which version of the document is to be changed")
	}
	return version, err
}

// ETag is the entity tag of a document at a version.
func ETag(version int) string { return fmt.Sprintf("%q", strconv.Itoa(version)) }
