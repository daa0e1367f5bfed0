package outbox_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/bookmark"
	"portal.example/internal/outbox"
)

// A log that does not contain what was delivered is refused.
func TestAnotherLogIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var done deliveries
	deliver := func(_ context.Context, e eventstore.Recorded) error {
		done.add(e)
		return nil
	}
	stop := s.run(outbox.Config{Deliver: deliver})
	s.until("the outbox begins", s.bookmarked)
	s.until("an event is delivered", done.are(s.append("invoice-1", "InvoiceSent")))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	here := s.client
	_, s.client = startLog(t)
	s.append("invoice-1", "InvoiceSent")
	s.append("invoice-1", "InvoiceSent")
	o, err := outbox.New(outbox.Config{Name: "invoice-hook", Pool: s.pool, Client: s.client, Deliver: deliver})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Run(t.Context()); !errors.Is(err, bookmark.ErrOtherLog) {
		t.Errorf("with another log: %v", err)
	}
	s.client = here
	s.run(outbox.Config{Deliver: deliver})
	before := done.ids[0]
	s.until("its own log is good", done.are(before, s.append("invoice-2", "InvoiceSent")))
}

// A log that was restored to where the outbox is, or later, is still its log, also
// once both have gone on.
func TestARestoredLogIsGoneOnWith(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var done deliveries
	var want []uuid.UUID
	deliver := func(_ context.Context, e eventstore.Recorded) error {
		done.add(e)
		return nil
	}
	for round := range 3 {
		stop := s.run(outbox.Config{Deliver: deliver})
		s.until("the outbox begins", s.bookmarked)
		want = append(want, s.append("invoice-1", "InvoiceSent"))
		s.until("an event is delivered", done.are(want...))
		if err := stop(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round > 0 {
			continue
		}
		note := eventstore.Proposed{ID: uuid.New(), Type: "$restored", Data: []byte(`{}`)}
		if _, err := s.client.Append(t.Context(), eventstore.RestoresStream, eventstore.Any(), note); err != nil {
			t.Fatal(err)
		}
	}
}

// A log that was restored from a backup that is older than the outbox is refused,
// also once it has grown as far; and until then nothing of it is delivered.
func TestAnOlderBackupIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir, backup, restored := t.TempDir(), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	n := s.serve(dir)
	var done deliveries
	deliver := func(_ context.Context, e eventstore.Recorded) error {
		done.add(e)
		return nil
	}
	stop := s.run(outbox.Config{Deliver: deliver})
	s.until("the outbox begins", s.bookmarked)
	first := s.append("invoice-1", "InvoiceSent")
	s.until("an event is delivered", done.are(first))
	quietly := func(node.Step, uint64, uint64) {}
	if _, err := node.TakeBackup(t.Context(), n.Access(), dir, backup, quietly); err != nil {
		t.Fatal(err)
	}
	second := s.append("invoice-1", "InvoiceSent")
	s.until("another one is delivered", done.are(first, second))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Restore(t.Context(), backup, restored, quietly); err != nil {
		t.Fatal(err)
	}
	s.serve(restored)
	for range 2 {
		o, err := outbox.New(outbox.Config{Name: "invoice-hook", Pool: s.pool, Client: s.client, Deliver: deliver})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Run(t.Context()); !errors.Is(err, bookmark.ErrOtherLog) {
			t.Errorf("it runs on an older log: %v", err)
		}
		for range 5 { // more than the backup lacks
			s.append("invoice-1", "InvoiceSent")
		}
	}
	if !done.are(first, second)() {
		t.Errorf("delivered %v", done.ids)
	}
}

// serve has the site's log served from a folder.
func (s *site) serve(dir string) *node.Node {
	s.t.Helper()
	n, err := node.Start(s.t.Context(), node.Config{Dir: dir, Insecure: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { n.Close() })
	if s.client, err = eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()}); err != nil {
		s.t.Fatal(err)
	}
	client := s.client
	s.t.Cleanup(func() { client.Close() })
	return n
}
