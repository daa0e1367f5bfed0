package reactions_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/eventstore/pubsub"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/internal/reactions"
)

// patience bounds every wait; only a failure reaches it.
const patience = time.Minute

// house is what reactions of a test run on: a log and a database of its own.
type house struct {
	t      *testing.T
	client *eventstore.Client
	pool   *pgxpool.Pool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	h := &house{t: t}
	if h.client, err = eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.client.Close() })
	h.pool, err = database.Open(t.Context(), postgres.ForTestWithTemplate(t, "reactions", func(url string) error {
		return database.Migrate(context.Background(), url)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.pool.Close)
	return h
}

// running is a reactor at work.
type running struct {
	t       *testing.T
	metrics *prometheus.Registry
	cancel  context.CancelFunc
	ended   chan struct{}
}

// run starts a reactor whose groups are there when it returns.
func (h *house) run(list ...reactions.Reaction) *running {
	h.t.Helper()
	return h.runAt(time.Now, list...)
}

func (h *house) runAt(now func() time.Time, list ...reactions.Reaction) *running {
	h.t.Helper()
	r := &running{t: h.t, metrics: prometheus.NewRegistry(), ended: make(chan struct{})}
	reactor, err := reactions.New(h.t.Context(), reactions.Config{
		Client: h.client, Pool: h.pool, Reactions: list, Now: now,
		Logger: slog.New(slog.DiscardHandler), Registerer: r.metrics,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := reactor.Prepare(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		if err := reactor.Run(ctx); err != nil {
			h.t.Errorf("running ended with %v", err)
		}
	}()
	h.t.Cleanup(func() { r.stop() })
	return r
}

// stop stops the reactor and tells how long that took.
func (r *running) stop() time.Duration {
	began := time.Now()
	r.cancel()
	<-r.ended
	return time.Since(began)
}

// counted is a counter of a reaction: handled, failed or parked.
func (r *running) counted(what, reaction, by string) int {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "portal_reaction_"+what+"_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range metric.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["reaction"] == reaction && labels["by"] == by {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// happen appends an event to a stream of its own, both with the id that it
// returns.
func (h *house) happen(eventType string, origin eventstore.Origin) uuid.UUID {
	h.t.Helper()
	id := uuid.New()
	h.happenAs(id, eventType, origin)
	return id
}

func (h *house) happenAs(id uuid.UUID, eventType string, origin eventstore.Origin) {
	h.t.Helper()
	metadata, err := json.Marshal(map[string]any{
		"$correlationId": correlation, "$causationId": correlation, "business": "acme", "origin": origin,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	e := eventstore.Proposed{ID: id, Type: eventType, Data: []byte(`{}`), Metadata: metadata}
	if _, err := h.client.Append(h.t.Context(), "thing-"+id.String(), eventstore.NoStream(), e); err != nil {
		h.t.Fatal(err)
	}
}

var correlation = uuid.MustParse("00000000-0000-8000-8000-000000000001")

// parked are the reasons for which a reaction's events are parked, by event.
func (h *house) parked(reaction, eventType string) map[uuid.UUID]string {
	h.t.Helper()
	group, err := pubsub.GroupOf(pubsub.TypeTopic(eventType), reaction)
	if err != nil {
		h.t.Fatal(err)
	}
	reasons := map[uuid.UUID]string{}
	for link, err := range h.client.ReadStream(h.t.Context(), group.ParkedStream(), 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		_, id, found := strings.Cut(string(link.Data), "@thing-")
		if !found {
			h.t.Fatalf("parked is %s", link.Data)
		}
		reasons[uuid.MustParse(id)] = string(link.Metadata)
	}
	return reasons
}

// until waits for a condition.
func (h *house) until(what string, fulfilled func() bool) {
	h.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for bound := time.After(patience); !fulfilled(); {
		select {
		case <-again.C:
		case <-bound:
			h.t.Fatalf("waited %s for this: %s", patience, what)
		}
	}
}

// witness counts for which events a reaction acted, and how often.
type witness struct {
	mu   sync.Mutex
	seen map[uuid.UUID]int
	last reactions.Event
}

func (w *witness) see(e reactions.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[uuid.UUID]int{}
	}
	w.seen[e.ID]++
	w.last = e
}

func (w *witness) times(id uuid.UUID) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[id]
}

func (w *witness) events() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// reaction acts at once, and does no more than being seen.
func (w *witness) reaction(name, eventType string) reactions.Reaction {
	return reactions.Reaction{Name: name, Event: eventType, Act: func(_ context.Context, e reactions.Event) error {
		w.see(e)
		return nil
	}}
}

// rewind has the reaction woken by everything again.
func (h *house) rewind(reaction, eventType string) {
	h.t.Helper()
	group, err := pubsub.GroupOf(pubsub.TypeTopic(eventType), reaction)
	if err == nil {
		err = h.client.DeleteGroup(h.t.Context(), group)
	}
	if err == nil {
		err = h.client.CreateGroup(h.t.Context(), group, eventstore.GroupSettings{
			FromStart: true, Filter: eventstore.TypeMatches("^" + eventType + "$"),
		})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
