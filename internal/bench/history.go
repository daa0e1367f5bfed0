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
	dir, err := l.tempDir("history")
	if err != nil {
		return nil, err
	}
	if h, err = openHistory(ctx, server.URL(historyDatabase), dir); err != nil {
		return nil, err
	}
	l.cleanups = append(l.cleanups, func() error { return errors.Join(h.close(), os.RemoveAll(dir)) })
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

// openHistory opens the log in the folder, and a database.
func openHistory(ctx context.Context, url, dir string) (h *history, err error) {
	h = &history{url: url}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if err := database.Migrate(ctx, h.url); err != nil {
		return nil, err
	}
	if h.pool, err = database.Open(ctx, h.url); err != nil {
		return nil, err
	}
	if h.node, err = node.Start(ctx, node.Config{Dir: dir}); err != nil {
		return nil, err
	}
	h.client, err = eventstore.Connect(eventstore.Config{ConnectionString: h.node.ConnectionString()})
	return h, err
}

// close also closes what was opened in part.
func (h *history) close() (err error) {
	if h.client != nil {
		err = h.client.Close()
	}
	if h.node != nil {
		err = errors.Join(err, h.node.Close())
	}
	if h.pool != nil {
		h.pool.Close()
	}
	return err
}

// room is for commands on the log, with the master key in the folder.
func (h *history) room(ctx context.Context, dir string) (*commands.Room, error) {
	master, err := keys.OpenMaster("", dir)
	if err != nil {
		return nil, err
	}
	keyring, err := keys.Open(ctx, h.pool, master)
	if err != nil {
		return nil, err
	}
	secret, err := master.Derive("request fingerprints")
	if err != nil {
		return nil, err
	}
	if h.codec, err = eventstore.NewCodec(keyring, commands.EventTypes()...); err != nil {
		return nil, err
	}
	store, err := commands.NewStore(h.client, h.codec)
	if err != nil {
		return nil, err
	}
	return &commands.Room{Store: store, Secret: secret, Now: time.Now}, nil
}

// demoUntil is when the demo businesses' histories end.
var demoUntil = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// fill imports the history of one demo business after the other, until there are
// as many events as are asked for.
func (h *history) fill(ctx context.Context, lab *Lab, dir string) error {
	room, err := h.room(ctx, dir)
	if err != nil {
		return err
	}
	for events, n := 0, 1; events < lab.Rebuild; n++ {
		appended, err := h.importDemo(ctx, room, fmt.Sprintf("bench-%d", n), demo.New(uint64(n), demoUntil))
		if err != nil {
			return fmt.Errorf("filling the log: %w", err)
		}
		events += appended
		lab.report("rebuild · filling the log: %s events", count(events))
	}
	return nil
}

func register(ctx context.Context, room *commands.Room, slug string) (business string, err error) {
	return businesses.Register(ctx, room, businesses.Registration{
		Slug: slug, Name: "Bench", Currency: "EUR", TimeZone: time.UTC, Language: "en",
	})
}

func (h *history) importDemo(ctx context.Context, room *commands.Room, slug string, story demo.History) (events int, err error) {
	business, err := register(ctx, room, slug)
	if err != nil {
		return 0, err
	}
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
