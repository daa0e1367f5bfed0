package outbox_test

import (
	"context"
	"errors"
	"fmt"
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
	"portal.example/internal/bookmark"
	"portal.example/internal/database"
	"portal.example/internal/outbox"
	"portal.example/internal/postgres"
)

// site is a log and a Postgres.
type site struct {
	t      *testing.T
	url    string
	pool   *pgxpool.Pool
	node   *node.Node
	client *eventstore.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, url: postgres.ForTestWithTemplate(t, "outbox", func(url string) error {
		return database.Migrate(context.Background(), url)
	})}
	var err error
	if s.pool, err = database.Open(t.Context(), s.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pool.Close)
	s.node, s.client = startLog(t)
	return s
}

func startLog(t *testing.T) (*node.Node, *eventstore.Client) {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return n, client
}

func (s *site) append(stream, eventType string) uuid.UUID {
	return s.appendOf(stream, eventType, eventstore.OriginLive)
}

func (s *site) appendOf(stream, eventType string, origin eventstore.Origin) uuid.UUID {
	id := uuid.New()
	_, err := s.client.Append(context.Background(), stream, eventstore.Any(), eventstore.Proposed{
		ID: id, Type: eventType, Data: []byte(`{}`), Metadata: fmt.Appendf(nil, `{"origin":%q}`, origin),
	})
	if err != nil {
		s.t.Error(err)
	}
	return id
}

// bookmarked tells whether the outbox has begun.
func (s *site) bookmarked() bool {
	mark := bookmark.Bookmark{DB: s.pool, Follower: "outbox.invoice-hook"}
	_, known, err := mark.Load(s.t.Context())
	return err == nil && known
}

func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	limit := time.After(time.Minute)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-limit:
			s.t.Fatalf("not within a minute: %s", what)
		}
	}
}

// run runs an outbox in this process until stop is called.
func (s *site) run(c outbox.Config) (stop func() error) {
	s.t.Helper()
	c.Name, c.Pool = "invoice-hook", s.pool
	if c.Client == nil {
		c.Client = s.client
	}
	o, err := outbox.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	s.t.Cleanup(func() { _ = stop() }) // whoever wants to know has asked
	return stop
}

// deliveries are what was delivered, in order.
type deliveries struct {
	mu  sync.Mutex
	ids []uuid.UUID
}

func (d *deliveries) add(e eventstore.Recorded) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ids = append(d.ids, e.ID)
}

func (d *deliveries) are(want ...uuid.UUID) func() bool {
	return func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return fmt.Sprint(d.ids) == fmt.Sprint(want)
	}
}

// What fails and what panics holds up what follows, which the metric and the log
// tell, until it succeeds.
func TestTheHeadHoldsUpWhatFollows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var done deliveries
	var tries int
	open := make(chan struct{})
	said := &lockedBuffer{}
	registry := prometheus.NewRegistry()
	stop := s.run(outbox.Config{
		Registerer: registry, Logger: slog.New(slog.NewTextHandler(said, nil)), FirstPause: time.Millisecond, LongestPause: 10 * time.Millisecond,
		Deliver: func(_ context.Context, e eventstore.Recorded) error {
			if tries++; tries == 1 {
				panic("a bug")
			}
			select {
			case <-open:
			default:
				return errors.New("the receiver is away")
			}
			done.add(e)
			return nil
		},
	})
	s.until("the outbox begins", s.bookmarked)
	first, second := s.append("invoice-1", "InvoiceSent"), s.append("invoice-2", "InvoiceSent")
	s.until("the head waits", func() bool { return gathered(t, registry, "portal_outbox_failures_total") > 3 })
	if age := gathered(t, registry, "portal_outbox_head_waiting_seconds"); age <= 0 {
		t.Errorf("the head waits for %v s", age)
	}
	if !done.are()() {
		t.Error("something was delivered")
	}
	close(open)
	s.until("both are delivered", done.are(first, second))
	s.until("the head waits no more", func() bool { return gathered(t, registry, "portal_outbox_head_waiting_seconds") == 0 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, words := range []string{"panic: a bug", "outbox_test.go", "the receiver is away", "holds up what follows", "waiting=", "the outbox goes on"} {
		if !strings.Contains(said.text(), words) {
			t.Errorf("the log says nothing of %q", words)
		}
	}
}

func gathered(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// A stop lets the delivery under way come to an end, and remembers it.
func TestAStopLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var done deliveries
	begun, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stop := s.run(outbox.Config{Deliver: func(_ context.Context, e eventstore.Recorded) error {
		once.Do(func() {
			close(begun)
			<-finish
		})
		done.add(e)
		return nil
	}})
	s.until("the outbox begins", s.bookmarked)
	first := s.append("invoice-1", "InvoiceSent")
	<-begun
	second := s.append("invoice-1", "InvoiceSent")
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	close(finish)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.run(outbox.Config{Deliver: func(_ context.Context, e eventstore.Recorded) error {
		done.add(e)
		return nil
	}})
	s.until("each is delivered once", done.are(first, second))
}

func TestAWrongConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []outbox.Config{{Name: "Two words"}, {Name: "hook"}} {
		if _, err := outbox.New(c); err == nil || !strings.Contains(err.Error(), c.Name) {
			t.Errorf("%q: %v", c.Name, err)
		}
	}
}
