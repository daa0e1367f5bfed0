package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// A quote expires after the log was backed up. When that backup is restored, and
// Postgres is as it was, the quote expires again, once; and nothing is left of a
// quote that the restored log does not have.
func TestReactionsOnARestoredLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, watched(), migratedDatabase(t))
	folder, data, restored := filepath.Join(t.TempDir(), "backup"), t.TempDir(), filepath.Join(t.TempDir(), "data")
	s.env = append(s.env, "PORTAL_DATA="+data)
	portal, url := s.serve()
	s.open()
	p := s.at(url)
	customer := p.post("/customers", s.owner, `{"name":"Ann"}`).must(201).id()
	quote := p.offeredUntil(customer, time.Now().Add(10*time.Second))
	state := func(quote string) string {
		return query[string](s, `SELECT coalesce((SELECT state::text FROM jobs.river_job WHERE args->'event'->>'stream' = $1), '')`, "quote-"+quote)
	}
	s.until("there is a job", reacts, func() bool { return state(quote) != "" })
	s.tell("backup", folder)
	if now := state(quote); now != "scheduled" {
		t.Fatalf("the job is %q already: the test shows nothing", now)
	}
	lost := p.offeredUntil(customer, time.Now().Add(time.Hour))
	s.until("it has a job, and that of the first is done", reacts, func() bool { return state(lost) != "" && state(quote) == "completed" })
	if n := s.expired(data, quote); n != 1 {
		t.Fatalf("expired %d times before the restore", n)
	}
	portal.stop()

	s.env = append(s.env, "PORTAL_DATA="+restored) // the last one counts
	s.tell("restore", folder)
	s.dropBuilds()
	portal, _ = s.serve()
	s.until("it expires again, and the other one's job is gone", reacts, func() bool {
		return s.expired(restored, quote) == 1 && state(quote) == "completed" && state(lost) == ""
	})
	portal.stop()
	portal, url = s.serve()
	other := s.at(url).offeredUntil(customer, time.Now().Add(time.Second))
	s.until("another one expires", reacts, func() bool { return s.expired(restored, other) == 1 })
	if n := s.expired(restored, quote); n != 1 {
		t.Errorf("expired %d times", n)
	}
	portal.stop()
}

// expired is how often the log that a portal serves has the quote expire.
func (s *site) expired(data, quote string) (n int) {
	s.t.Helper()
	access, err := node.Discover(data)
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: access.ConnectionString()})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for e, err := range client.ReadStream(s.t.Context(), "quote-"+quote, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Type == "QuoteExpired" {
			n++
		}
	}
	return n
}

// dropBuilds drops the read models as docs/operations.md has it.
func (s *site) dropBuilds() {
	s.t.Helper()
	rows, err := s.rows.Query(s.t.Context(), `SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', schema) FROM runner.builds`)
	if err != nil {
		s.t.Fatal(err)
	}
	drops, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(drops) == 0 {
		s.t.Fatalf("%v, %v", drops, err)
	}
	for _, drop := range drops {
		s.exec(drop)
	}
}
