package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/term"

	"portal.example/eventstore"
)

// eventLine is an event as a line of JSON. The names are relied upon by others:
// they stay. Data and metadata are the JSON that is stored, without the white
// space between its tokens, or base64 where they are no JSON; they are left out
// where there is nothing.
type eventLine struct {
	Position string    `json:"position"`
	Stream   string    `json:"stream"`
	Revision uint64    `json:"revision"`
	ID       uuid.UUID `json:"id"`
	Type     string    `json:"type"`
	Created  time.Time `json:"created"`
	Personal bool      `json:"personal,omitempty"` // personal fields are open

	Metadata       json.RawMessage `json:"metadata,omitempty"`
	MetadataBase64 []byte          `json:"metadataBase64,omitempty"`
	Data           json.RawMessage `json:"data,omitempty"`
	DataBase64     []byte          `json:"dataBase64,omitempty"`
}

const lineHelp = `A line of JSON has position, stream, revision, id, type, created (RFC 3339, UTC),
metadata and data as they are stored. What is no JSON is metadataBase64 or
dataBase64 instead. Personal fields are sealed in the log. The system's own events
($…) are left out.`

// lineWriter writes events as JSON Lines.
type lineWriter struct {
	encoder  *json.Encoder
	personal bool
}

func newLineWriter(w io.Writer) lineWriter {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // or it would change what is stored
	return lineWriter{encoder: encoder}
}

func (w lineWriter) write(e *eventstore.Recorded) error {
	line := eventLine{
		Position: e.Position.String(), Stream: e.Stream, Revision: e.Revision,
		ID: e.ID, Type: e.Type, Created: e.Created.UTC(), Personal: w.personal,
	}
	line.Metadata, line.MetadataBase64 = asStored(e.Metadata)
	line.Data, line.DataBase64 = asStored(e.Data)
	return w.encoder.Encode(line)
}

func asStored(stored []byte) (json.RawMessage, []byte) {
	if utf8.Valid(stored) && json.Valid(stored) {
		return stored, nil
	}
	return nil, stored
}

// selection chooses events.
type selection struct {
	types    []string
	stream   string // prefix
	business string // id
}

func (s selection) has(e *eventstore.Recorded) bool {
	return !strings.HasPrefix(e.Type, "$") &&
		(len(s.types) == 0 || slices.Contains(s.types, e.Type)) &&
		strings.HasPrefix(e.Stream, s.stream) &&
		(s.business == "" || bytes.Contains(e.Metadata, []byte(s.business)) && envelopeOf(e).Business == s.business)
}

// envelope is what is shown of an event's metadata, and chosen by.
type envelope struct {
	Business string           `json:"business"`
	Actor    eventstore.Actor `json:"actor"`
}

// envelopeOf is empty for an event that somebody else has appended.
func envelopeOf(e *eventstore.Recorded) (m envelope) {
	if json.Unmarshal(e.Metadata, &m) != nil {
		return envelope{}
	}
	return m
}

// textWriter writes events as lines for people.
type textWriter struct {
	out      io.Writer
	coloured bool
}

func newTextWriter(w io.Writer) textWriter {
	return textWriter{out: w, coloured: isTerminal(w) && os.Getenv("NO_COLOR") == ""}
}

func isTerminal(w any) bool {
	f, is := w.(*os.File)
	return is && term.IsTerminal(int(f.Fd()))
}

func (w textWriter) write(e *eventstore.Recorded) error {
	actor := envelopeOf(e).Actor
	_, err := fmt.Fprintf(w.out, "%s  %s  %s  %s  %s\n",
		e.Created.UTC().Format("2006-01-02T15:04:05.000Z"),
		w.colour("2", fmt.Sprintf("%8s", e.Position)),
		w.colour("36", fmt.Sprintf("%-28s", printable(e.Type))),
		printable(e.Stream)+w.colour("2", "@"+strconv.FormatUint(e.Revision, 10)),
		printable(strings.TrimSpace(string(actor.Kind)+" "+actor.ID)))
	return err
}

func (w textWriter) colour(code, text string) string {
	if !w.coloured {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printable is a text that does nothing to a terminal: anybody who may append can
// put what they like into names.
func printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	return strconv.Quote(text)
}
