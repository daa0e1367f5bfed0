package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore/node"
	"portal.example/internal/postgres"
)

// awayVariable says how long Postgres stays away, such as 1m, after everybody
// has noticed.
const awayVariable = "PORTAL_SOAK_POSTGRES_AWAY"

// Postgres goes away while a crowd is at work. Each command is taken or refused
// with 503 and when to come back, and none hangs; once Postgres is there again,
// everything goes on by itself, and each command has been carried out once.
func TestPostgresGoesAwayUnderLoad(t *testing.T) {
	t.Parallel()
	server := newStoppable(t)
	data := t.TempDir()
	s := newSite(t, watched(), server.url, "PORTAL_DATA="+data)
	s.open()
	portal, url := s.serve()
	access, err := node.Discover(data)
	if err != nil {
		t.Fatal(err)
	}
	s.connect(access.ConnectionString())
	const limit = time.Minute
	crowd := &crowd{t: t, token: s.owner, urls: []string{url}, limit: 10 * time.Second}
	stop := crowd.start()
	for round := range 2 {
		before := crowd.soFar()
		s.until("work goes on", limit, func() bool { return crowd.soFar().payments > before.payments+20 })
		server.stop()
		before = crowd.soFar()
		s.until("everybody is refused", limit, func() bool { return sum(crowd.soFar().refused) > sum(before.refused)+20 })
		s.away(url)
		if round == 0 {
			wait(t, awayVariable)
		}
		server.start()
	}
	before := crowd.soFar()
	s.until("work goes on", limit, func() bool { return crowd.soFar().payments > before.payments+20 })
	done := stop()
	t.Logf("in the end: %+v", done)
	s.untilBuilt(limit)
	s.at(url).send(http.MethodGet, "/readyz", "", "").must(http.StatusOK)
	s.allOnce(done, url)

	portal.stop()
	s.dropReadModels()
	_, url = s.serve()
	access, err = node.Discover(data)
	if err != nil {
		t.Fatal(err)
	}
	s.connect(access.ConnectionString())
	s.untilBuilt(limit)
	s.sameAsKept()
	s.allOnce(done, url)
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// away demands that the portal says clearly that there is no Postgres.
func (s *site) away(url string) {
	s.t.Helper()
	p := s.at(url)
	p.send(http.MethodGet, "/healthz", "", "").must(http.StatusOK)
	if ready := p.send(http.MethodGet, "/readyz", "", "").must(http.StatusServiceUnavailable); ready.body["database"] != "out of reach" {
		s.t.Errorf("readyz: %s", ready.text)
	}
	for _, path := range []string{"/invoices", "/dashboards/money", "/timeline"} {
		a := p.send(http.MethodGet, "/api/v1"+path, s.owner, "").refused(http.StatusServiceUnavailable, "database_unavailable")
		if a.header.Get("Retry-After") == "" {
			s.t.Errorf("%s does not say when to come back", path)
		}
	}
}

// wait waits as long as the variable says; unset, not at all.
func wait(t *testing.T, variable string) {
	t.Helper()
	said := os.Getenv(variable)
	if said == "" {
		return
	}
	long, err := time.ParseDuration(said)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	select {
	case <-time.After(long):
	case <-t.Context().Done():
	}
}

// stoppable is a Postgres that goes away and comes back with its data.
type stoppable struct {
	t      *testing.T
	dir    string
	port   int
	server *postgres.Server
	url    string
}

func newStoppable(t *testing.T) *stoppable {
	t.Helper()
	// Postgres may run as another user, who cannot enter the folder of the test.
	dir, err := os.MkdirTemp("", "portal-away-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &stoppable{t: t, dir: filepath.Join(dir, "postgres")}
	s.start()
	s.url = s.server.TCPURL("postgres")
	config, err := pgx.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	s.port = int(config.Port)
	t.Cleanup(s.stop)
	return s
}

func (s *stoppable) start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var err error
	if s.server, err = postgres.Start(ctx, postgres.Options{Dir: s.dir, Port: s.port}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stoppable) stop() {
	s.t.Helper()
	if err := s.server.Stop(); err != nil {
		s.t.Error(err)
	}
}
