package projectiontest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/eventstore/node"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/projections/runner"
)

// Live is a log with read models that follow it.
type Live struct {
	Pool    *pgxpool.Pool
	Readers *database.Readers
	Runner  *runner.Runner

	client      *eventstore.Client
	codec       *eventstore.Codec
	projections []runner.Projection
}

// Follow starts a log and a database of the test's own, and lets the
// projections follow the one in the other.
func Follow(t testing.TB, projections ...runner.Projection) *Live {
	t.Helper()
	return FollowOn(t, postgres.ForTestWithTemplate(t, "migrated", migrate), func(*runner.Config) {}, projections...)
}

func migrate(url string) error { return database.Migrate(context.Background(), url) }

// FollowOn is Follow with a database that is there and migrated, and a runner
// that is wired differently.
func FollowOn(t testing.TB, url string, change func(*runner.Config), projections ...runner.Projection) *Live {
	t.Helper()
	ctx := t.Context()
	n, err := node.Start(ctx, node.Config{Dir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, n.Close()) })
	l := &Live{projections: projections}
	if l.client, err = eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, l.client.Close()) })
	if l.codec, err = eventstore.NewCodec(codectest.NewKeyring(), EventTypes()...); err != nil {
		t.Fatal(err)
	}
	if l.Pool, err = database.Open(ctx, url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Pool.Close)
	if l.Readers, err = database.NewReaders(ctx, l.Pool); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Readers.Close)
	cfg := runner.Config{
		Pool: l.Pool, Client: l.client, Codec: l.codec, Projections: projections,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	change(&cfg)
	l.Runner = runner.New(cfg)
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- l.Runner.Run(running) }()
	t.Cleanup(func() {
		cancel()
		closed(t, <-done)
	})
	return l
}

// Log is the log that the read models follow.
func (l *Live) Log() *eventstore.Client { return l.client }

// Codec understands the events of the log.
func (l *Live) Codec() *eventstore.Codec { return l.codec }

func closed(t testing.TB, err error) {
	if err != nil {
		t.Error(err)
	}
}

// Append appends histories to the log, waits until all read models have them,
// and returns the position of the last event.
func (l *Live) Append(t testing.TB, histories ...*History) eventstore.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last eventstore.Position
	for _, h := range histories {
		for _, d := range h.Events {
			proposed, err := l.codec.Encode(ctx, d.Record.Stream, d.Metadata, d.Event)
			if err != nil {
				t.Fatal(err)
			}
			appended, err := l.client.Append(ctx, d.Record.Stream, eventstore.Any(), proposed...)
			if err != nil {
				t.Fatal(err)
			}
			last = appended.Position
		}
	}
	for _, p := range l.projections {
		if err := l.Runner.WaitFor(ctx, p.Name(), last); err != nil {
			t.Fatal(err)
		}
	}
	return last
}
