package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// Two portals on one log and one Postgres, as programs of their own. One leads
// each projection; when it is gone, the other one does. The commands of a crowd
// go to both all the time, and in the end each has been carried out once and is
// in the read models once.
func TestTheOtherPortalTakesOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]fate{
		"killed": {
			goAway:   func(p *process) { p.kill() },
			comeBack: func(s *site, _ *process, _ string) (*process, string) { return s.serve() },
			limit:    20 * time.Second,
		},
		// It hangs with its locks and maybe a transaction, which Postgres ends
		// after a while. Then it goes on where it stopped, as if nothing were.
		"cut off": {
			goAway: func(p *process) { p.signal(syscall.SIGSTOP) },
			comeBack: func(_ *site, p *process, url string) (*process, string) {
				p.signal(syscall.SIGCONT)
				return p, url
			},
			limit: 30 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			takeOver(t, c)
		})
	}
}

// fate is what befalls the portal that leads.
type fate struct {
	goAway   func(*process)
	comeBack func(s *site, p *process, url string) (*process, string)
	limit    time.Duration // of each thing that is waited for
}

func takeOver(t *testing.T, f fate) {
	limit := f.limit
	program := watched()
	_, log := program.startUntil(t, "event log at ", nil, "node", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--insecure")
	s := newSite(t, program, migratedDatabase(t), "PORTAL_EVENTSTORE="+log, "PORTAL_DATA="+t.TempDir())
	s.connect(log)
	s.open()
	one, first := s.serve()
	s.until("the first portal leads everything", limit, func() bool { return len(s.leads(first)) == len(projections()) })
	two, second := s.serve()
	crowd := &crowd{t: t, token: s.owner, urls: []string{first, second}, limit: time.Second, mayBeOff: true}
	stop := crowd.start()
	s.until("all are at work", limit, func() bool { return crowd.soFar().payments > 40 })
	if n := len(s.leads(second)); n != 0 {
		t.Errorf("the second portal leads %d projections beside the first", n)
	}

	before := crowd.soFar()
	f.goAway(one)
	began := time.Now()
	s.until("the second portal leads everything", limit, func() bool { return len(s.leads(second)) == len(projections()) })
	t.Logf("taken over after %s", time.Since(began).Round(time.Millisecond))
	s.until("work goes on", limit, func() bool { return crowd.soFar().payments > before.payments+20 })
	one, first = f.comeBack(s, one, first)
	between := crowd.soFar()
	s.until("work goes on", limit, func() bool { return crowd.soFar().payments > between.payments+40 })
	done := stop()
	s.untilBuilt(limit)
	t.Logf("in the end: %+v", done)
	s.until("the second portal still leads everything, and the first one nothing", limit, func() bool {
		led := s.leads(first)
		return led != nil && len(led) == 0 && len(s.leads(second)) == len(projections())
	})
	s.allOnce(done, second)

	one.kill()
	two.stop()
	s.dropReadModels()
	_, third := s.serve()
	s.untilBuilt(limit)
	s.sameAsKept()
	s.allOnce(done, third)
}

// allOnce demands that what a crowd did is in the log once, and in the read
// models.
func (s *site) allOnce(done tally, url string) {
	s.t.Helper()
	events := s.count("Dana Reyes")
	got := fmt.Sprint(events["CustomerAdded"], events["InvoiceIssued"], events["InvoiceNumberTaken"], events["PaymentRecorded"])
	if want := fmt.Sprint(done.customers, done.invoices, done.invoices, done.payments); got != want {
		s.t.Errorf("the log has %s events of customers, invoices, numbers and payments, want %s", got, want)
	}
	if numbers := query[string](s, `SELECT concat(count(DISTINCT number), ' from ', min(number), ' to ', max(number)) FROM read.invoices`); numbers !=
		fmt.Sprintf("%d from 1 to %[1]d", done.invoices) {
		s.t.Errorf("%s numbers on %d invoices", numbers, done.invoices)
	}
	if names := query[int](s, `SELECT count(*) FROM read.customers WHERE name = 'Dana Reyes'`); names != done.customers {
		s.t.Errorf("%d rows of %d customers", names, done.customers)
	}
	if lines := query[int](s, `SELECT count(*) FROM read.timeline WHERE type = 'PaymentRecorded'`); lines != done.payments {
		s.t.Errorf("%d lines of %d payments", lines, done.payments)
	}
	money := s.at(url).get("/dashboards/money", s.owner, answer{t: s.t}).must(200).body
	if got, want := fmt.Sprint(money["invoices"], money["billed"], money["paid"]), fmt.Sprintf("%d map[amount:%d currency:EUR] map[amount:%d currency:EUR]",
		done.invoices, done.invoices*10000, done.cents); got != want {
		s.t.Errorf("the dashboard says %s, want %s", got, want)
	}
}
