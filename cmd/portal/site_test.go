package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
)

// site is a business on portals that run as processes: what they have in common,
// and a look past them into the database and the log.
type site struct {
	t       *testing.T
	program program
	env     []string
	rows    *pgxpool.Pool      // as the superuser, who sees all of them
	log     *eventstore.Client // set with connect

	business string
	owner    string // token
}

func newSite(t *testing.T, p program, database string, env ...string) *site {
	t.Helper()
	var key [32]byte
	rand.Read(key[:])
	s := &site{t: t, program: p, env: append(env,
		"DATABASE_URL="+database, "PORTAL_LISTEN=127.0.0.1:0",
		"PORTAL_MASTER_KEY="+base64.StdEncoding.EncodeToString(key[:]))}
	var err error
	if s.rows, err = pgxpool.New(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.rows.Close)
	return s
}

// tell runs a subcommand on the site.
func (s *site) tell(args ...string) string {
	s.t.Helper()
	return s.program.tell(s.t, s.env, args...)
}

// open registers the site's business and makes a token of its owner.
func (s *site) open() {
	s.t.Helper()
	s.business = s.tell("business", "create", "--slug", "acme", "--name", "Acme", "--currency", "EUR", "--timezone", "Europe/Rome")
	s.owner = s.tell("keys", "create", "--business", "acme", "--role", "owner")
}

// connect looks into the log that is at this place.
func (s *site) connect(connection string) {
	s.t.Helper()
	var err error
	if s.log, err = eventstore.Connect(eventstore.Config{ConnectionString: connection}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.log.Close() })
}

// serve starts a portal of the site and returns its address.
func (s *site) serve(env ...string) (*process, string) {
	s.t.Helper()
	return s.program.startUntil(s.t, "portal at ", append(env, s.env...), "serve")
}

// at is the portal at an address, with what tests ask of one.
func (s *site) at(url string) *running {
	return &running{t: s.t, url: url, business: s.business, office: s.owner}
}

// until waits for a condition, with a bound that only a failure reaches.
func (s *site) until(what string, limit time.Duration, fulfilled func() bool) {
	s.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for bound := time.After(limit); !fulfilled(); {
		select {
		case <-again.C:
		case <-bound:
			s.t.Fatalf("waited %s for this: %s", limit, what)
		}
	}
}

// query is the one value that a query has.
func query[T any](s *site, sql string, args ...any) (value T) {
	s.t.Helper()
	if err := s.rows.QueryRow(s.t.Context(), sql, args...).Scan(&value); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// untilBuilt waits until every read model contains all that the log has.
func (s *site) untilBuilt(limit time.Duration) {
	s.t.Helper()
	head, err := s.log.Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.until("the read models have the whole log", limit, func() bool {
		return query[int](s, `
			SELECT count(*) FROM runner.builds
			WHERE state = 'live' AND caught_up AND (commit_position, prepare_position) >= ($1::bigint, $2::bigint)
			  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)`, head.Commit, head.Prepare) == len(projections())
	})
	if n := query[int](s, `SELECT count(*) FROM runner.quarantine`); n > 0 {
		s.t.Errorf("%d streams are in quarantine", n)
	}
}

// dropReadModels drops all of them, and keeps a copy to compare with.
func (s *site) dropReadModels() {
	s.t.Helper()
	s.exec(`CREATE SCHEMA kept`)
	schemas := map[string]bool{}
	for _, table := range s.tables() {
		s.exec(`CREATE TABLE ` + table.kept() + ` AS TABLE ` + table.live())
		schemas[table.Schema] = true
	}
	if len(schemas) != len(projections()) {
		s.t.Fatalf("the schemas %v of %d projections", schemas, len(projections()))
	}
	for schema := range schemas {
		s.exec(`DROP SCHEMA ` + pgx.Identifier{schema}.Sanitize() + ` CASCADE`)
	}
}

// sameAsKept compares the rebuilt tables with the copies, row by row, and
// returns how many rows there are.
func (s *site) sameAsKept() (rows int) {
	s.t.Helper()
	kept := query[int](s, `SELECT count(*) FROM pg_class WHERE relnamespace = 'kept'::regnamespace AND relkind = 'r'`)
	tables := s.tables()
	if len(tables) != kept {
		s.t.Errorf("%d tables after the rebuild, %d before", len(tables), kept)
	}
	for _, table := range tables {
		rows += query[int](s, `SELECT count(*) FROM `+table.live())
		for missing, where := range map[string][2]string{
			"lost by the rebuild": {table.kept(), table.live()}, "new in the rebuild": {table.live(), table.kept()},
		} {
			var count int
			var example *string
			err := s.rows.QueryRow(s.t.Context(), `
				SELECT count(*), min(to_jsonb(r)::text) FROM (TABLE `+where[0]+` EXCEPT ALL TABLE `+where[1]+`) r`).
				Scan(&count, &example)
			if err != nil {
				s.t.Fatal(err)
			}
			if count > 0 {
				s.t.Errorf("%s: %d rows are %s, such as %s", table.Name, count, missing, *example)
			}
		}
	}
	return rows
}

// table is one of a live read model.
type table struct{ Schema, Name string }

func (t table) live() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }
func (t table) kept() string { return pgx.Identifier{"kept", t.Name}.Sanitize() }

func (s *site) tables() []table {
	s.t.Helper()
	rows, err := s.rows.Query(s.t.Context(), `
		SELECT schema, relname::text FROM runner.builds JOIN pg_class ON relnamespace = to_regnamespace(quote_ident(schema))
		WHERE state = 'live' AND relkind = 'r' ORDER BY 1, 2`)
	if err != nil {
		s.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		s.t.Fatal(err)
	}
	return tables
}

func (s *site) exec(statement string) {
	s.t.Helper()
	if _, err := s.rows.Exec(s.t.Context(), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// count counts the log's events by type, and demands that none of these words
// stands in the log.
func (s *site) count(secrets ...string) map[string]int {
	s.t.Helper()
	counts := map[string]int{}
	for e, err := range s.log.ReadAll(s.t.Context(), eventstore.Start()) {
		if err != nil {
			s.t.Fatal(err)
		}
		counts[e.Type]++
		for _, secret := range secrets {
			if bytes.Contains(e.Data, []byte(secret)) || bytes.Contains(e.Metadata, []byte(secret)) {
				s.t.Fatalf("event %d of %s has %q in the clear: %s %s", e.Revision, e.Stream, secret, e.Data, e.Metadata)
			}
		}
	}
	return counts
}

// leads lists the projections that the portal at this address leads, as its
// metrics say; nil where it does not answer.
func (s *site) leads(url string) map[string]bool {
	text, err := s.metrics(url)
	if err != nil {
		return nil
	}
	led := map[string]bool{}
	for _, p := range projections() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "portal_projection_leader{") &&
				strings.Contains(line, fmt.Sprintf("projection=%q", p.Name())) && strings.HasSuffix(line, "} 1\n") {
				led[p.Name()] = true
			}
		}
	}
	return led
}

func (s *site) metrics(url string) (string, error) {
	client := http.Client{Timeout: time.Second}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(response.Body)
	return text.String(), err
}
