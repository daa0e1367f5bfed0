package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// told runs a subcommand and returns what it printed.
func told(t *testing.T, wantStatus int, args ...string) (out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), args, &stdout, &stderr); status != wantStatus {
		t.Fatalf("%v: status %d: %s", args, status, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// servedLog is a node that serves a folder, which subcommands find.
func servedLog(t *testing.T) *eventstore.Client {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("PORTAL_DATA", dir)
	t.Setenv("PORTAL_EVENTSTORE", "")
	n, err := node.Start(t.Context(), node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func appendTo(t *testing.T, client *eventstore.Client, stream string, events ...eventstore.Proposed) eventstore.Position {
	t.Helper()
	for i := range events {
		events[i].ID = uuid.New()
	}
	at, err := client.Append(t.Context(), stream, eventstore.Any(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return at.Position
}

const ofAcme = `{"business":"5f0c7c5e-7a2f-4b11-9f26-3c0f5a6f3d11","actor":{"kind":"staff","id":"sam"}}`

// linesOf are the objects of JSON Lines.
func linesOf(t *testing.T, text string) (lines []eventLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e eventLine
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, e)
	}
	return lines
}

func typesOf(lines []eventLine) string {
	var types []string
	for _, l := range lines {
		types = append(types, l.Type)
	}
	return strings.Join(types, " ")
}

func TestTail(t *testing.T) {
	client := servedLog(t)
	sent := eventstore.Proposed{Type: "QuoteSent", Data: []byte(`{"note":"<a & b>"}`), Metadata: []byte(ofAcme)}
	first := appendTo(t, client, "quote-1", sent)
	appendTo(t, client, "invoice-1", eventstore.Proposed{Type: "InvoiceSent", Data: []byte(`{}`)})
	appendTo(t, client, "quote-2", sent, eventstore.Proposed{Type: "Odd\x1b[2J", Data: []byte{0xff}, Binary: true})

	for _, c := range []struct{ args, want string }{
		{"", "QuoteSent InvoiceSent QuoteSent Odd\x1b[2J"},
		{"--limit 2", "QuoteSent Odd\x1b[2J"},
		{"--limit 1 --type QuoteSent", "QuoteSent"},
		{"--from start --limit 2", "QuoteSent InvoiceSent"},
		{"--from " + first.String(), "InvoiceSent QuoteSent Odd\x1b[2J"},
		{"--from start --type InvoiceSent --type Nothing", "InvoiceSent"},
		{"--from start --stream quote-2", "QuoteSent Odd\x1b[2J"},
		{"--from start --business 5f0c7c5e-7a2f-4b11-9f26-3c0f5a6f3d11", "QuoteSent QuoteSent"},
		{"--from end --no-follow", ""},
	} {
		out, _ := told(t, exitOK, append([]string{"events", "tail", "--json"}, strings.Fields(c.args)...)...)
		if got := typesOf(linesOf(t, out)); got != c.want {
			t.Errorf("tail %s: %q, want %q", c.args, got, c.want)
		}
	}

	out, _ := told(t, exitOK, "events", "tail", "--json")
	lines := linesOf(t, out)
	if string(lines[0].Data) != `{"note":"<a & b>"}` || string(lines[0].Metadata) != ofAcme || lines[0].Stream != "quote-1" ||
		lines[0].Position != first.String() || lines[3].Revision != 1 || string(lines[3].DataBase64) != "\xff" || lines[3].Data != nil {
		t.Errorf("printed %s", out)
	}
	text, _ := told(t, exitOK, "events", "tail")
	if strings.Contains(text, "\x1b") || !strings.Contains(text, "quote-1@0  staff sam") || strings.Count(text, "\n") != 4 {
		t.Errorf("printed %q", text)
	}

	for _, wrong := range []string{"--from nowhere!", "--from zzzzzzzz", "--limit -1", "--follow --no-follow", "extra"} {
		told(t, exitMisused, append([]string{"events", "tail"}, strings.Fields(wrong)...)...)
	}
	told(t, exitFailed, "events", "tail", "--business", "nobody")
}

// A limit ends a tail that follows, too, and counts what was there before.
func TestTailFollowsUpToItsLimit(t *testing.T) {
	client := servedLog(t)
	appendOne := func(kind string) {
		appendTo(t, client, "quote-1", eventstore.Proposed{Type: kind, Data: []byte(`{}`)})
	}
	appendOne("A")
	appendOne("B")
	printed, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"events", "tail", "--follow", "--limit", "3", "--json"}, out, io.Discard)
		out.Close()
	}()
	lines := json.NewDecoder(printed)
	for _, want := range []string{"A", "B", "C"} {
		if want == "C" {
			appendOne(want)
		}
		var e eventLine
		if err := lines.Decode(&e); err != nil || e.Type != want {
			t.Fatalf("%s: %v, want %s", e.Type, err, want)
		}
	}
	if status := <-ended; status != exitOK {
		t.Errorf("exit status %d", status)
	}
	for args, want := range map[string]string{"--limit 2": "B C", "--limit 3": "A B C", "--from start --limit 2": "A B"} {
		text, _ := told(t, exitOK, append([]string{"events", "tail", "--follow", "--json"}, strings.Fields(args)...)...)
		if got := typesOf(linesOf(t, text)); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

// Where nobody serves the log there is nothing to follow, and nobody is kept from
// serving it.
func TestNobodyIsFollowed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PORTAL_DATA", dir)
	t.Setenv("PORTAL_EVENTSTORE", "")
	for _, args := range []string{"--follow", "--from end", "--from start --follow"} {
		if _, errs := told(t, exitFailed, append([]string{"events", "tail"}, strings.Fields(args)...)...); !strings.Contains(errs, "nobody serves") {
			t.Errorf("%s: said %q", args, errs)
		}
	}
	n, err := node.Start(t.Context(), node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	told(t, exitOK, "events", "tail")

	// Of nothing that was exported, no position is told.
	file := filepath.Join(t.TempDir(), "events")
	for _, args := range [][]string{{"export"}, {"export", "-o", file}} {
		out, errs := told(t, exitOK, append([]string{"events"}, args...)...)
		if said := strings.TrimSpace(out + errs); said != "0 events exported" {
			t.Errorf("%v: said %q", args, said)
		}
	}
}

func TestTailFollows(t *testing.T) {
	client := servedLog(t)
	appendTo(t, client, "quote-1", eventstore.Proposed{Type: "Before", Data: []byte(`{}`)})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, printed := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"events", "tail", "--follow", "--json"}, printed, io.Discard)
		printed.Close()
	}()
	lines := json.NewDecoder(out)
	for _, want := range []string{"Before", "After", "Later"} {
		if want != "Before" {
			appendTo(t, client, "quote-1", eventstore.Proposed{Type: want, Data: []byte(`{}`)})
		}
		var e eventLine
		if err := lines.Decode(&e); err != nil || e.Type != want {
			t.Fatalf("%s: %v, want %s", e.Type, err, want)
		}
	}
	interrupt()
	if status := <-ended; status != exitOK {
		t.Errorf("exit status %d", status)
	}
}

func TestExport(t *testing.T) {
	client := servedLog(t)
	var middle eventstore.Position
	for n := range 40 {
		var events []eventstore.Proposed
		for range 50 {
			events = append(events, eventstore.Proposed{
				Type: "QuoteSent", Data: fmt.Appendf(nil, `{"n":%d,"text":%q}`, n, strings.Repeat("x", 100)), Metadata: []byte(ofAcme),
			})
		}
		if at := appendTo(t, client, fmt.Sprintf("quote-%d", n%3), events...); n == 20 {
			middle = at
		}
	}
	appendTo(t, client, "invoice-1", eventstore.Proposed{Type: "InvoiceSent", Data: []byte(`{}`)})
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")

	var summary export
	out, _ := told(t, exitOK, "events", "export", "--output", whole, "--json")
	if err := json.Unmarshal([]byte(out), &summary); err != nil || summary.Events != 2001 || summary.File != whole {
		t.Fatalf("%s: %v", out, err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	lines := linesOf(t, string(want))
	if len(lines) != 2001 || lines[2000].Position != summary.Position {
		t.Errorf("%d lines, the last one at %s", len(lines), lines[len(lines)-1].Position)
	}
	if about, err := os.Stat(whole); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", about.Mode(), err)
	}

	// Wherever it was interrupted, it goes on to the same file.
	for _, cut := range []int{0, 1, 5, len(want) / 3, bytes.IndexByte(want, '\n') + 1, len(want) - 1, len(want)} {
		part := filepath.Join(dir, fmt.Sprint(cut))
		if err := os.WriteFile(part, want[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		told(t, exitOK, "events", "export", "-o", part)
		got, err := os.ReadFile(part)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("cut after %d bytes: %d bytes of %d, %v", cut, len(got), len(want), err)
		}
		if about, err := os.Stat(part); err != nil || about.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", about.Mode(), err)
		}
	}

	// Parts of the log make the whole.
	head, _ := told(t, exitOK, "events", "export", "--until", middle.String())
	rest, errs := told(t, exitOK, "events", "export", "--from", middle.String())
	if head+rest != string(want) || !strings.Contains(errs, "exported") {
		t.Errorf("parts of %d and %d bytes, the whole has %d", len(head), len(rest), len(want))
	}
	for args, count := range map[string]int{
		"--business 5f0c7c5e-7a2f-4b11-9f26-3c0f5a6f3d11": 2000, "--from 2000-01-01": 2001, "--until 2000-01-01T00:00:00Z": 0,
	} {
		part, _ := told(t, exitOK, append([]string{"events", "export"}, strings.Fields(args)...)...)
		if n := strings.Count(part, "\n"); n != count {
			t.Errorf("%s: %d events, want %d", args, n, count)
		}
	}

	// What is something else, or of another log, is left alone.
	for name, text := range map[string]string{
		"letter": "Dear Dana,", "letters": "Dear Dana,\nyours\n", "list": `{"items":[]}` + "\n",
		"other": strings.ReplaceAll(string(want[:bytes.IndexByte(want, '\n')+1]), lines[0].ID.String(), uuid.NewString()),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		told(t, exitFailed, "events", "export", "-o", path)
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s became %.40q, %v", name, got, err)
		}
	}
	told(t, exitFailed, "events", "export", "-o", whole, "--until", middle.String())
	for _, wrong := range []string{"--from no.where!", "--until 2026-13-01", "--until zzzzzzzz", "-o /nowhere/at/all"} {
		told(t, exitMisused, append([]string{"events", "export"}, strings.Fields(wrong)...)...)
	}
}

// An interrupt leaves whole lines, and says so.
func TestAnInterruptedExportGoesOn(t *testing.T) {
	client := servedLog(t)
	for range 20 {
		events := make([]eventstore.Proposed, 100)
		for i := range events {
			events[i] = eventstore.Proposed{Type: "QuoteSent", Data: fmt.Appendf(nil, `%q`, strings.Repeat("x", 4<<10))}
		}
		appendTo(t, client, "quote-1", events...)
	}
	path := filepath.Join(t.TempDir(), "events")
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	go func() {
		for ctx.Err() == nil { // until something has been written
			if about, err := os.Stat(path); err == nil && about.Size() > 0 {
				interrupt()
			}
		}
	}()
	var errs bytes.Buffer
	if status := run(ctx, []string{"events", "export", "-o", path}, io.Discard, &errs); status == exitFailed {
		if !strings.Contains(errs.String(), "start it again") {
			t.Errorf("said %q", errs.String())
		}
	} else if status != exitOK { // it may have been faster
		t.Fatalf("status %d: %s", status, errs.String())
	}
	told(t, exitOK, "events", "export", "-o", path)
	all, err := os.ReadFile(path)
	if lines := linesOf(t, string(all)); err != nil || len(lines) != 2000 || lines[1999].Revision != 1999 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

// What is personal is not opened.
func TestEventsStaySealed(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("PORTAL_DATA", cfg.data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	p := serveWith(t, cfg)
	p.customer("everything")
	for _, args := range [][]string{{"tail", "--from", "start", "--business", "acme"}, {"tail", "--json"}, {"export", "--business", "acme"}} {
		out, _ := told(t, exitOK, append([]string{"events"}, args...)...)
		if strings.Contains(out, "Dana") || !strings.Contains(out, "CustomerContactAdded") {
			t.Errorf("%v printed %s", args, out)
		}
	}
}

// With the keys personal fields are opened, and such an export is kept apart.
func TestPersonalEvents(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("PORTAL_DATA", cfg.data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	t.Setenv("DATABASE_URL", cfg.database)
	p := serveWith(t, cfg)
	p.customer("everything")
	appendTo(t, p.server.log, "strange-1", eventstore.Proposed{Type: "Strange", Data: []byte(`{"of":"others"}`)})
	dir := t.TempDir()
	out, _ := told(t, exitOK, "events", "export", "--personal")
	if !strings.Contains(out, `"email":"dana@example.com"`) || strings.Contains(out, "ciphertext") || !strings.Contains(out, `{"of":"others"}`) {
		t.Errorf("%s", out)
	}
	for _, l := range linesOf(t, out) {
		if !l.Personal {
			t.Errorf("not marked: %+v", l)
		}
	}
	lines := filepath.Join(dir, "lines")
	told(t, exitOK, "events", "export", "--personal", "-o", lines)
	told(t, exitOK, "events", "export", "--personal", "-o", lines)
	told(t, exitFailed, "events", "export", "-o", lines)
	if got, err := os.ReadFile(lines); err != nil || string(got) != out {
		t.Errorf("%s, %v", got, err)
	}
	told(t, exitOK, "events", "export", "--personal", "--format", "csv", "-o", filepath.Join(dir, "csv"))
	told(t, exitFailed, "events", "export", "--format", "csv", "-o", filepath.Join(dir, "csv"))
	if got, err := os.ReadFile(filepath.Join(dir, "csv", "events.csv")); err != nil || !strings.Contains(string(got), "dana@example.com") {
		t.Errorf("%s, %v", got, err)
	}
}
