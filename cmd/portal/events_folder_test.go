package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"portal.example/eventstore"
)

// eventRowOf reads a Parquet file of events.
type eventRowOf struct {
	Position       string  `parquet:"position,optional"`
	Stream         string  `parquet:"stream,optional"`
	Revision       int64   `parquet:"revision,optional"`
	ID             string  `parquet:"id,optional"`
	Type           string  `parquet:"type,optional"`
	Created        int64   `parquet:"created,optional"`
	Metadata       *string `parquet:"metadata,optional"`
	MetadataBase64 *string `parquet:"metadataBase64,optional"`
	Data           *string `parquet:"data,optional"`
	DataBase64     *string `parquet:"dataBase64,optional"`
}

// All formats hold the same events, also those that came after a first run.
func TestEventsInAllFormats(t *testing.T) {
	client := servedLog(t)
	dir := t.TempDir()
	at := func(format string) string { return filepath.Join(dir, format) }
	for round := range 2 {
		for n := range 300 {
			appendTo(t, client, fmt.Sprintf("quote-%d", n%7),
				eventstore.Proposed{Type: "QuoteSent", Data: fmt.Appendf(nil, "{\"n\": %d,\n \"text\":\"=<&>\"}", n), Metadata: []byte(ofAcme)})
		}
		appendTo(t, client, "=odd", eventstore.Proposed{Type: "Odd", Data: []byte{0xff}, Binary: true}, eventstore.Proposed{Type: "Bare"})
		told(t, exitOK, "events", "export", "-o", at("jsonl"))
		for _, f := range []string{"csv", "parquet"} {
			var summary export
			out, _ := told(t, exitOK, "events", "export", "-o", at(f), "--format", f, "--json")
			if err := json.Unmarshal([]byte(out), &summary); err != nil || summary.Events != 302 || summary.Position == "" {
				t.Errorf("round %d, %s: %s, %v", round, f, out, err)
			}
		}
	}
	told(t, exitOK, "events", "export", "-o", at("parquet"), "--format", "parquet") // nothing new

	text, err := os.ReadFile(at("jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := linesOf(t, string(text))
	cells, err := os.ReadFile(filepath.Join(at("csv"), "events.csv"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(cells)).ReadAll()
	if err != nil || len(records) != len(lines)+1 {
		t.Fatalf("%d records, %d lines, %v", len(records), len(lines), err)
	}
	var rows []eventRowOf
	m := manifestIn(t, at("parquet"), "events")
	for _, f := range m.Files {
		part, err := parquet.ReadFile[eventRowOf](filepath.Join(at("parquet"), f.Name))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, part...)
	}
	if len(rows) != len(lines) || len(m.Files) != 2 || m.From.Position != lines[len(lines)-1].Position {
		t.Fatalf("%d rows, %d lines, %+v", len(rows), len(lines), m)
	}
	for i, l := range lines {
		r := rows[i]
		if r.Position != l.Position || r.Stream != l.Stream || uint64(r.Revision) != l.Revision || r.ID != l.ID.String() ||
			r.Type != l.Type || r.Created != l.Created.UnixNano() || textOf(r.Metadata) != string(l.Metadata) || textOf(r.Data) != string(l.Data) {
			t.Errorf("row %+v, line %+v", r, l)
		}
		bare := make([]string, len(records[i+1]))
		for j, cell := range records[i+1] {
			bare[j] = strings.TrimPrefix(cell, "'")
		}
		want := []string{
			r.Position, r.Stream, fmt.Sprint(r.Revision), r.ID, r.Type, l.Created.Format("2006-01-02T15:04:05.999999999Z07:00"),
			textOf(r.Metadata), textOf(r.MetadataBase64), textOf(r.Data), textOf(r.DataBase64),
		}
		if !reflect.DeepEqual(bare, want) {
			t.Errorf("record %q, want %q", bare, want)
		}
	}
	if odd := rows[300]; odd.Type != "Odd" || textOf(odd.DataBase64) != "/w==" || odd.Data != nil || rows[301].Data != nil {
		t.Errorf("%+v", odd)
	}

	// The standard output takes CSV too, and a folder is for one part of the log.
	if out, _ := told(t, exitOK, "events", "export", "--format", "csv"); out != string(cells) {
		t.Errorf("%d bytes of CSV on the standard output, %d in the folder", len(out), len(cells))
	}
	told(t, exitFailed, "events", "export", "-o", at("csv"), "--format", "csv", "--until", "2000-01-01")
	for _, wrong := range []string{"--format xlsx", "--format parquet"} {
		told(t, exitMisused, append([]string{"events", "export"}, strings.Fields(wrong)...)...)
	}
	m.After[3] = "5f0c7c5e-7a2f-4b11-9f26-3c0f5a6f3d11" // of another log
	changed, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at("parquet"), "events.manifest.json"), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	told(t, exitFailed, "events", "export", "-o", at("parquet"), "--format", "parquet")
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
