package bookmark_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/bookmark"
)

// log is a node with what a test does to it.
type log struct {
	t      *testing.T
	dir    string
	node   *node.Node
	client *eventstore.Client
}

func startLog(t *testing.T, dir string) *log {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.AdminConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &log{t, dir, n, client}
}

func (l *log) append(stream, data string) eventstore.Recorded {
	l.t.Helper()
	e := eventstore.Proposed{ID: uuid.New(), Type: "Noted", Data: []byte(data)}
	at, err := l.client.Append(l.t.Context(), stream, eventstore.Any(), e)
	if err != nil {
		l.t.Fatal(err)
	}
	return eventstore.Recorded{Stream: stream, Revision: at.Revision, Position: at.Position, ID: e.ID}
}

func (l *log) end() bookmark.Place {
	l.t.Helper()
	p, err := bookmark.End(l.t.Context(), l.client)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// backedUp is a backup of the log as it is.
func (l *log) backedUp() (folder string) {
	l.t.Helper()
	folder = filepath.Join(l.t.TempDir(), "backup")
	if _, err := node.TakeBackup(l.t.Context(), l.node.Access(), l.dir, folder, quietly); err != nil {
		l.t.Fatal(err)
	}
	return folder
}

func restored(t *testing.T, folder string) *log {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := node.Restore(t.Context(), folder, dir, quietly); err != nil {
		t.Fatal(err)
	}
	return startLog(t, dir)
}

func quietly(node.Step, uint64, uint64) {}

// grow appends until the log reaches as far as another did.
func (l *log) grow(to eventstore.Position) {
	l.t.Helper()
	for l.append("other-1", "{}").Position.Compare(to) <= 0 {
	}
}

func (l *log) has(p bookmark.Place) bookmark.Place {
	l.t.Helper()
	found, err := p.Verify(l.t.Context(), l.client)
	if err != nil {
		l.t.Errorf("%+v: %v", p, err)
	}
	return found
}

func (l *log) lacks(p bookmark.Place) {
	l.t.Helper()
	if _, err := p.Verify(l.t.Context(), l.client); !errors.Is(err, bookmark.ErrOtherLog) {
		l.t.Errorf("%+v: %v", p, err)
	}
}

// Somebody who waits for few events is far beyond the last of them by checkpoints
// alone. A backup that has that event, but not what came after it, is not the log
// that they have read, not even once it has grown as far.
func TestARestoredLogHasThePlacesBeforeItsBackup(t *testing.T) {
	t.Parallel()
	first := startLog(t, t.TempDir())
	read := first.append("quote-1", "{}")
	first.append("other-1", "{}")
	before := first.end().At(&read)
	before.Position = first.end().Position
	backup := first.backedUp()
	first.append("other-1", "{}")
	after := before
	after.Position = first.end().Position
	first.has(after)

	second := restored(t, backup)
	second.lacks(after)
	second.grow(after.Position)
	second.lacks(after)
	second.lacks(bookmark.Place{Log: after.Log, Position: after.Position}) // with no event yet
	found := second.has(before)
	if found.Position != before.Position || found.Log == before.Log || found.Log != second.end().Log {
		t.Errorf("found %+v of %+v", found, before)
	}

	// It goes on in the restored log, and is known there and in later ones.
	event := second.append("quote-1", "{}")
	here := second.has(found.At(&event))
	again := restored(t, second.backedUp())
	later := second.append("quote-1", "{}")
	there := here.At(&later)
	again.grow(there.Position)
	for _, p := range []bookmark.Place{before, found, here} {
		again.has(p)
	}
	for _, p := range []bookmark.Place{after, there} {
		again.lacks(p)
	}
	first.lacks(here) // nor does what happened there count in the original
	first.lacks(bookmark.Place{Log: here.Log})
}

// Of an event that the log has let go of, only its stream's kind tells whether it
// was ever there.
func TestTrimmedStreamsAreNoOtherLog(t *testing.T) {
	t.Parallel()
	l := startLog(t, t.TempDir())
	last := map[string]eventstore.Recorded{}
	for _, stream := range []string{"$counted", "$emptied", "$gone", "note-1", "note-2", "quote-1"} {
		last[stream] = l.append(stream, "{}")
	}
	for range 3 {
		l.append("$counted", "{}")
		l.append("note-1", "{}")
	}
	l.append("$$$counted", `{"$maxCount":1}`)
	l.append("$$$emptied", `{"$tb":100}`)
	l.append("$$$gone", `{"$tb":9223372036854775807}`)
	l.append("$$note-1", `{"$maxCount":1}`)
	l.append("$$note-2", `{"$tb":9223372036854775807}`)
	place := func(stream string) bookmark.Place {
		e := last[stream]
		return l.end().At(&e)
	}
	for _, stream := range []string{"$counted", "$emptied", "$gone", "note-1", "quote-1"} {
		l.has(place(stream))
	}
	l.lacks(place("note-2")) // nobody deletes what is somebody's in everyday life

	for name, change := range map[string]func(*bookmark.Place){
		"another event": func(p *bookmark.Place) { p.EventID = uuid.New() },
		"a later one":   func(p *bookmark.Place) { p.Revision++ },
		"no stream":     func(p *bookmark.Place) { p.Stream = "quote-2" },
		"another log":   func(p *bookmark.Place) { p.Log = uuid.New() },
		"the future":    func(p *bookmark.Place) { p.Position.Commit += 1000 },
	} {
		p := place("quote-1")
		change(&p)
		t.Log(name)
		l.lacks(p)
	}
}

func TestAnEmptyLogIsNobodys(t *testing.T) {
	t.Parallel()
	l := startLog(t, t.TempDir())
	if end := l.end(); end != (bookmark.Place{}) {
		t.Errorf("it ends at %+v", end)
	}
	l.has(bookmark.Place{})
	l.lacks(bookmark.Place{Log: uuid.New()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (bookmark.Place{}).Verify(ctx, l.client); err == nil || errors.Is(err, bookmark.ErrOtherLog) {
		t.Error(fmt.Errorf("nobody was asked: %w", err))
	}
}
