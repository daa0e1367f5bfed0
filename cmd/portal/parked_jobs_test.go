package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

// hooks is a reaction in the hand of a test that leaves jobs.
type hooks struct {
	*running
	way   atomic.Int32 // what becomes of tries
	acted atomic.Int32 // that went well
}

const (
	failing int32 = iota
	panicking
	working
)

func newHooks(t *testing.T, p *running) *hooks {
	t.Helper()
	h := &hooks{running: p}
	reactor, err := reactions.New(t.Context(), reactions.Config{
		Client: p.server.log, Pool: p.server.pool, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Reactions: []reactions.Reaction{{
			Name: "hook", Event: "QuoteSent",
			Due: func(context.Context, reactions.Event) (time.Time, error) { return time.Now(), nil },
			Act: func(context.Context, reactions.Event) error {
				switch h.way.Load() {
				case failing:
					return errors.New("the hook is gone\x1b[2J")
				case panicking:
					panic("oh dear")
				}
				h.acted.Add(1)
				return nil
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := reactor.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- reactor.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

// givenUp waits until so many jobs are listed.
func (h *hooks) givenUp(want int) []map[string]any {
	h.t.Helper()
	var list []map[string]any
	until(h.t, fmt.Sprint(want, " jobs are listed"), func() bool {
		list = items(h.t, "parked", "list", "hook")
		return len(list) == want
	})
	return list
}

// lastTry makes the job about the quote the last but one of its tries.
func (h *hooks) lastTry(quote string) {
	h.t.Helper()
	until(h.t, "it has failed once", func() bool {
		done, err := h.server.pool.Exec(h.t.Context(), `
			UPDATE jobs.river_job SET max_attempts = attempt + 1, scheduled_at = now(), state = 'available'
			WHERE args->'event'->>'stream' = $1 AND queue = 'hook' AND attempt > 0 AND state IN ('retryable', 'available')`, "quote-"+quote)
		return err == nil && done.RowsAffected() == 1
	})
}

// Jobs that were given up are in the same list as what the log has parked: shown,
// tried again as the same job, and given up with a reason that is recorded.
func TestGivenUpJobs(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("PORTAL_DATA", cfg.data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	t.Setenv("DATABASE_URL", cfg.database)
	p := serveWith(t, cfg)
	h := newHooks(t, p)
	dana := p.customer("everything")
	failed := p.sentQuote(dana.id)
	h.lastTry(failed)
	first := h.givenUp(1)[0]
	h.way.Store(panicking)
	panicked := p.sentQuote(dana.id)
	second := h.givenUp(2)[1]
	numbers := []string{fmt.Sprintf("%.0f", first["number"]), fmt.Sprintf("%.0f", second["number"])}
	if first["stream"] != "quote-"+failed || first["where"] != "jobs" || first["attempts"] != 2.0 || first["revision"] != 1.0 ||
		!strings.Contains(fmt.Sprint(first["reason"]), "the hook is gone") || second["stream"] != "quote-"+panicked {
		t.Errorf("given up: %v, %v", first, second)
	}

	groups := map[any]map[string]any{}
	for _, g := range items(t, "parked", "list") {
		groups[g["group"]] = g
	}
	jobs, log := groups["hook"], groups["hook:QuoteSent"]
	if jobs["parked"] != 2.0 || jobs["where"] != "jobs" || jobs["oldest"] == nil || log["parked"] != 0.0 || log["where"] != "log" ||
		groups["quote-expiry"]["parked"] != 0.0 {
		t.Errorf("groups: %v", groups)
	}

	var shown struct {
		Reason, Stack, Where string
		Attempts             int
		Event                eventLine
	}
	out, _ := told(t, exitOK, "parked", "show", "hook", numbers[1], "--json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Reason != "oh dear" || shown.Where != "jobs" || shown.Attempts != 1 ||
		!strings.Contains(shown.Stack, "parked_jobs_test.go") || shown.Event.Type != "QuoteSent" || shown.Event.Stream != "quote-"+panicked {
		t.Errorf("shown %s: %v", out, err)
	}
	out, _ = told(t, exitOK, "parked", "show", "hook", numbers[0])
	if strings.Contains(out, "\x1b") || !strings.Contains(out, "the hook is gone") || !strings.Contains(out, "attempts  2") {
		t.Errorf("shown %q", out)
	}

	// Any of them is tried again, here not the oldest. It fails again, then works.
	h.way.Store(failing)
	out, _ = told(t, exitOK, "parked", "retry", "hook", numbers[1], "--json")
	if strings.TrimSpace(out) != `{"retrying":1}` {
		t.Errorf("said %s", out)
	}
	h.lastTry(panicked)
	if again := h.givenUp(2)[1]; again["number"] != second["number"] {
		t.Errorf("given up again: %v", again)
	}
	h.way.Store(working)
	told(t, exitOK, "parked", "retry", "hook", numbers[1])
	h.givenUp(1)
	until(t, "it worked", func() bool { return h.acted.Load() == 1 })

	out, _ = told(t, exitOK, "parked", "discard", "hook", "--up-to", numbers[0], "--reason", "The hook is gone for good.", "--json")
	if strings.TrimSpace(out) != `{"discarded":1}` {
		t.Errorf("said %s", out)
	}
	h.givenUp(0)
	discarded := p.discarded()
	if len(discarded) != 1 || discarded[0].Group != "hook" || discarded[0].Stream != "quote-"+failed || discarded[0].Revision != 1 ||
		discarded[0].Reason != "The hook is gone for good." || discarded[0].EventType != "QuoteSent" {
		t.Errorf("recorded %+v", discarded)
	}
	if h.acted.Load() != 1 {
		t.Errorf("it acted %d times", h.acted.Load())
	}
	told(t, exitFailed, "parked", "show", "hook", numbers[0])
	told(t, exitFailed, "parked", "retry", "hook", numbers[0])
	told(t, exitFailed, "parked", "list", "nobody")

	t.Setenv("DATABASE_URL", "")
	if _, errs := told(t, exitOK, "parked", "list"); !strings.Contains(errs, "DATABASE_URL is not set") {
		t.Errorf("said %q", errs)
	}
}

// However much is parked, little of it is in memory at a time.
func TestManyParkedMessagesAreStreamed(t *testing.T) {
	t.Setenv("PORTAL_EVENTSTORE", "") // which keeps tests that run beside it, and what they need, away
	_, address := watched().startUntil(t, "event log at ", nil, "node", "--data", t.TempDir(), "--insecure", "--listen", "127.0.0.1:0")
	log, err := eventstore.Connect(eventstore.Config{ConnectionString: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	group := eventstore.Group{Name: "mail"}
	if err := log.CreateGroup(t.Context(), group, eventstore.GroupSettings{}); err != nil {
		t.Fatal(err)
	}
	const messages, each = 20_000, 1 << 10 // which is more than the client reads ahead
	why, err := json.Marshal(map[string]string{"reason": strings.Repeat("x", each)})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < messages; {
		var links []eventstore.Proposed
		for ; len(links) < 500; i++ {
			links = append(links, eventstore.Proposed{ID: uuid.New(), Type: "$>", Data: fmt.Appendf(nil, "%d@s-1", i), Metadata: why})
		}
		if _, err := log.Append(t.Context(), group.ParkedStream(), eventstore.Any(), links...); err != nil {
			t.Fatal(err)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, last := heap(), uint64(0)
	from, c, err := (&span{group: "mail", all: true}).choose(t.Context(), &shelves{log: log})
	if err != nil || c.count != messages {
		t.Fatal(c, err)
	}
	recorded := 0
	if err := from.discard(t.Context(), c, func(parkedItem) error {
		if recorded++; recorded%(messages/4) == 0 {
			last = max(last, heap())
		}
		return nil
	}); err != nil || recorded != messages {
		t.Fatal(recorded, err)
	}
	if last > before+messages*each/4 {
		t.Errorf("%d bytes in use, %d before, of %d that are parked", last, before, messages*each)
	}
	t.Logf("%d bytes in use, %d before, of %d that are parked", last, before, messages*each)
}
