package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portal.example/eventstore/node"
)

// replayKills names how many rounds of kills a run of the test has.
const replayKills = "PORTAL_SOAK_REPLAY_KILLS"

// A portal with its own log is killed at random moments of a replay, and of the
// cut-over and the roll-back after it. What is live in the end is what it was
// before, row by row.
func TestReplaySurvivesKills(t *testing.T) {
	t.Parallel()
	rounds := 3
	if said := os.Getenv(replayKills); said != "" {
		var err error
		if rounds, err = strconv.Atoi(said); err != nil || rounds < 1 {
			t.Fatalf("%s=%q: not a number of rounds", replayKills, said)
		}
	}
	data := t.TempDir()
	s := newSite(t, plain(t), migratedDatabase(t), "PORTAL_DATA="+data)
	s.open()
	s.tell("import", "fines", fines(t, 400), "--business", "acme", "--json")
	portal, _ := s.serve()
	s.connectTo(data)
	s.untilBuilt(time.Minute)
	s.keep("invoices")

	const events = 2000 // of invoices, about
	for round := range rounds {
		portal = s.killedWhileReplaying(portal, events)
		portal = s.killedWhile(portal, "cutover")
		if round%2 == 0 {
			portal = s.killedWhile(portal, "rollback")
		}
		s.invoicesAsKept()
	}
	s.alone(portal)
}

// killedWhileReplaying begins a replay of invoices, kills the portal somewhere in
// it, and returns the next portal once the replay is ready.
func (s *site) killedWhileReplaying(portal *process, events int) *process {
	s.t.Helper()
	s.tell("projections", "replay", "invoices", "--detach", "--throttle", strconv.Itoa(events))
	somewhere := rand.IntN(events)
	s.until("the replay is somewhere", time.Minute, func() bool {
		return query[bool](s, `SELECT events >= $1 OR caught_up FROM runner.builds WHERE state = 'building'`, somewhere*9/10)
	})
	portal.kill()
	at := query[int](s, `SELECT events FROM runner.builds WHERE state = 'building'`)
	portal, _ = s.serve()
	s.until("the replay is ready", time.Minute, func() bool {
		return query[bool](s, `SELECT caught_up AND cardinality(deferred_indexes) = 0 FROM runner.builds WHERE state = 'building'`)
	})
	all := query[int](s, `SELECT events FROM runner.builds WHERE state = 'building'`)
	s.t.Logf("killed a replay after %d of %d events", at, all)
	if live := query[int](s, `SELECT events FROM runner.builds WHERE state = 'live' AND projection = 'invoices'`); all != live {
		s.t.Errorf("the replay has applied %d events, the live one %d", all, live)
	}
	return portal
}

// killedWhile asks for a cut-over or a roll-back and kills the portal at about the
// moment when it would be made.
func (s *site) killedWhile(portal *process, verb string) *process {
	s.t.Helper()
	ended := make(chan string, 1)
	go func() { ended <- s.tell("projections", verb, "invoices", "--json") }()
	s.until("it is asked for, or made", time.Minute, func() bool {
		return query[bool](s, `
			SELECT count(*) FILTER (WHERE cutover_asked IS NOT NULL) > 0
			       OR NOT bool_or(state = 'building') AND max(live_at) > now() - interval '1 second'
			FROM runner.builds WHERE projection = 'invoices'`)
	})
	moment := time.NewTimer(rand.N(400 * time.Millisecond))
	defer moment.Stop()
	<-moment.C
	portal.kill()
	live := query[int](s, `SELECT count(*) FROM runner.builds WHERE projection = 'invoices' AND state = 'live'`)
	views := query[int](s, `SELECT count(*) FROM pg_class WHERE relnamespace = 'read'::regnamespace AND relname = 'invoices'`)
	if live != 1 || views != 1 {
		s.t.Errorf("after a kill in a %s %d builds are live, by %d views", verb, live, views)
	}
	portal, _ = s.serve()
	select {
	case said := <-ended:
		if !strings.Contains(said, `"state":"live"`) {
			s.t.Errorf("%s: %s", verb, said)
		}
	case <-time.After(time.Minute):
		s.t.Fatalf("the %s was never made", verb)
	}
	return portal
}

// alone shows that a command does without a portal what a portal would do, and
// what an interrupt of it means.
func (s *site) alone(portal *process) {
	s.t.Helper()
	watching := s.program.start(s.t, s.env, "projections", "replay", "timeline", "--throttle", "5")
	s.until("the replay is under way", time.Minute, func() bool {
		return query[bool](s, `SELECT coalesce(max(events), 0) > 0 FROM runner.builds WHERE state = 'building' AND projection = 'timeline'`)
	})
	watching.signal(syscall.SIGINT)
	<-watching.ended
	if status, said := watching.command.ProcessState.ExitCode(), watching.said.text(); status != exitFailed || !strings.Contains(said, "goes on in the portal") {
		s.t.Errorf("an interrupted watcher ends with %d and says %q", status, said)
	}
	s.tell("projections", "replay", "cancel", "timeline")
	portal.stop()
	if said := s.tell("projections", "replay", "timeline", "--cutover", "--json"); !strings.Contains(said, `"state":"live"`) {
		s.t.Errorf("without a portal: %s", said)
	}
}

// connectTo looks into the log of a data folder that a portal serves.
func (s *site) connectTo(data string) {
	s.t.Helper()
	access, err := node.Discover(data)
	if err != nil {
		s.t.Fatal(err)
	}
	s.connect(access.ConnectionString())
}

// keep keeps a copy of a live read model to compare with.
func (s *site) keep(projection string) {
	s.t.Helper()
	s.exec(`CREATE SCHEMA kept`)
	for _, table := range s.tables() {
		if strings.HasPrefix(table.Schema, projection+"_v") {
			s.exec(`CREATE TABLE ` + table.kept() + ` AS TABLE ` + table.live())
		}
	}
}

// invoicesAsKept compares the live rows with the copy.
func (s *site) invoicesAsKept() {
	s.t.Helper()
	if n := query[int](s, `SELECT count(*) FROM kept.invoices`); n < 400 {
		s.t.Fatalf("%d rows to compare with", n)
	}
	if n := query[int](s, `SELECT count(*) FROM (
		(TABLE kept.invoices EXCEPT ALL SELECT * FROM read.invoices) UNION ALL (SELECT * FROM read.invoices EXCEPT ALL TABLE kept.invoices)) d`); n > 0 {
		s.t.Errorf("%d rows differ from those of a replay that nobody interrupted", n)
	}
}

// fines is a file of as many cases, all paid.
func fines(t *testing.T, cases int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("case,seq,activity,date,amount_cents,expense_cents,paid_cents\n")
	for i := range cases {
		fmt.Fprintf(&b, "K%[1]d,0,Create Fine,2020-01-31,3000,,\nK%[1]d,1,Send Fine,2020-03-01,,700,\nK%[1]d,2,Payment,2020-04-03,,,3700\n", i)
	}
	path := filepath.Join(t.TempDir(), "fines.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
