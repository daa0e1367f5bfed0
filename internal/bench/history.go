package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/commands"
	"portal.example/commands/businesses"
	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/adapters/keys"
	"portal.example/internal/database"
	"portal.example/internal/demo"
	"portal.example/internal/importing"
	"portal.example/projections/invoices"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

// history is a log of real events, those of the demo's businesses, in a node in
// this process, and the read models of it.
type history struct {
	url    string // of the database
	pool   *pgxpool.Pool
	node   *node.Node
	client *eventstore.Client
	codec  *eventstore.Codec
}

const historyDatabase = "history"

func (l *Lab) makeHistory(ctx context.Context) (h *history, err error) {
	server, err := l.database()
	if err != nil {
		return nil, err
	}
	if err := execute(ctx, server.URL("postgres"), "CREATE DATABASE "+historyDatabase); err != nil {
		return nil, err
	}
	h = &history{url: server.URL(historyDatabase)}
	if err := database.Migrate(ctx, h.url); err != nil {
		return nil, err
	}
	dir, err := l.tempDir("history")
	if err != nil {
		return nil, err
	}
	if h.node, err = node.Start(ctx, node.Config{Dir: dir}); err != nil {
		return nil, err
	}
	l.cleanups = append(l.cleanups, func() error { return errors.Join(h.node.Close(), os.RemoveAll(dir)) })
	if h.client, err = eventstore.Connect(eventstore.Config{ConnectionString: h.node.ConnectionString()}); err != nil {
		return nil, err
	}
	l.cleanups = append(l.cleanups, h.client.Close)
	if h.pool, err = database.Open(ctx, h.url); err != nil {
		return nil, err
	}
	l.cleanups = append(l.cleanups, func() error { h.pool.Close(); return nil })
	if err := h.fill(ctx, l, dir); err != nil {
		return nil, err
	}
	for _, p := range []runner.Projection{timeline.Projection{}, invoices.Projection{}} { // whose rows the opponents take
		if err := h.project(ctx, p); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// fill imports the history of one demo business after the other, until there are
// as many events as are asked for.
func (h *history) fill(ctx context.Context, lab *Lab, dir string) error {
	master, err := keys.OpenMaster("", dir)
	if err != nil {
		return err
	}
	keyring, err := keys.Open(ctx, h.pool, master)
	if err != nil {
		return err
	}
	secret, err := master.Derive("request fingerprints")
	if err != nil {
		return err
	}
	if h.codec, err = eventstore.NewCodec(keyring, commands.EventTypes()...); err != nil {
		return err
	}
	store, err := commands.NewStore(h.client, h.codec)
	if err != nil {
		return err
	}
	room := &commands.Room{Store: store, Secret: secret, Now: time.Now}
	until := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for events, n := 0, 1; events < lab.Read; n++ {
		appended, err := h.importDemo(ctx, room, n, until)
		if err != nil {
			return fmt.Errorf("filling the log: %w", err)
		}
		events += appended
		lab.report("rebuild · filling the log: %s events", count(events))
	}
	return nil
}

func (h *history) importDemo(ctx context.Context, room *commands.Room, n int, until time.Time) (events int, err error) {
	business, err := businesses.Register(ctx, room, businesses.Registration{
		Slug: fmt.Sprintf("bench-%d", n), Name: "Bench", Currency: "EUR", TimeZone: time.UTC, Language: "en",
	})
	if err != nil {
		return 0, err
	}
	story := demo.New(uint64(n), until)
	importer := importing.Importer{
		Log: h.client, Codec: h.codec, Secret: room.Secret, Now: room.Now, Business: business, About: story.About,
	}
	for _, file := range []importing.File{story.Invoices, story.Requests} {
		summary, refusals, err := importer.Run(ctx, file)
		if err != nil {
			return 0, err
		}
		if len(refusals) > 0 {
			return 0, fmt.Errorf("a row was refused: %w", refusals[0].Reason)
		}
		events += int(summary.Events)
	}
	return events, nil
}

// subscription reads the log for a projection.
type subscription func(context.Context, eventstore.SubscribeOptions) runner.Source

// byNetwork reads by the client, as from a log that is elsewhere.
func (h *history) byNetwork(ctx context.Context, options eventstore.SubscribeOptions) runner.Source {
	return h.client.Subscribe(ctx, options)
}

// inProcess reads as the portal does from its own node.
func (h *history) inProcess(_ context.Context, options eventstore.SubscribeOptions) runner.Source {
	return h.node.Follow(options)
}

const rebuildLimit = 10 * time.Minute

// project fills the first tables of a projection.
func (h *history) project(ctx context.Context, p runner.Projection) error {
	ctx, cancel := context.WithTimeout(ctx, rebuildLimit)
	defer cancel()
	head, err := h.client.Head(ctx)
	if err != nil {
		return err
	}
	r := h.runner(p, h.inProcess)
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- r.Run(running)
		stop() // nothing to wait for any more
	}()
	err = r.WaitFor(running, p.Name(), head)
	stop()
	return errors.Join(err, <-ended)
}

func (h *history) runner(p runner.Projection, subscribe subscription) *runner.Runner {
	return runner.New(runner.Config{
		Pool: h.pool, Client: h.client, Codec: h.codec, Projections: []runner.Projection{p}, Subscribe: subscribe,
	})
}

// rebuild fills the tables of a projection beside the live ones and returns how
// long it takes until requests read them.
func (h *history) rebuild(ctx context.Context, p runner.Projection, subscribe subscription) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, rebuildLimit)
	defer cancel()
	if err := execute(ctx, h.url, "CHECKPOINT"); err != nil {
		return 0, err
	}
	started := time.Now()
	err = h.runner(p, subscribe).Rebuild(ctx, p.Name())
	return time.Since(started), err
}
