package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/internal/database"
	"portal.example/internal/reactions"
)

// asConsumer makes the test binary one of those that compete, on this log.
const asConsumer = "PORTAL_TEST_AS_CONSUMER"

const consumerGroup = "competitors"

// consume starts a consumer. It is there when this returns.
func (c *chaos) consume() *process {
	c.t.Helper()
	consumer := program{os.Args[0], []string{asConsumer + "=1"}}
	started, _ := consumer.startUntil(c.t, "consuming", c.env)
	return started
}

// poisonous are the events that the consumers cannot deal with.
func poisonous(event uuid.UUID) bool { return event[15]%4 == 0 }

// Handled is the effect of a consumer.
type Handled struct{}

type effects struct{}

func (effects) Evolve(Handled) effects { return effects{} }

// handle never finds that it was done before: that is for the command's id.
type handle struct{}

func (handle) Decide(effects) ([]Handled, error) { return []Handled{{}}, nil }

// runConsumer is the life of a consumer.
func runConsumer() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: os.Getenv("PORTAL_EVENTSTORE")})
	if err != nil {
		return err
	}
	pool, err := database.Open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	codec, err := eventstore.NewCodec(codectest.NewKeyring(), eventstore.Events(map[string]Handled{"Handled": {}})...)
	if err != nil {
		return err
	}
	category, err := eventstore.NewCategory[effects, Handled]("effect", client, codec, 100)
	if err != nil {
		return err
	}
	reactor, err := reactions.New(ctx, reactions.Config{
		Client: client, Pool: pool, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: time.Now,
		Reactions: []reactions.Reaction{{Name: consumerGroup, Event: "QuoteSent", Act: func(ctx context.Context, e reactions.Event) error {
			if poisonous(e.ID) {
				panic("poison")
			}
			m := eventstore.Metadata{
				CommandID: eventstore.NewID(e.ID, "handled"), Business: e.Business, Operation: "test", RecordedAt: time.Now(),
				Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, Origin: eventstore.OriginLive,
			}
			_, err := category.Execute(ctx, category.Stream(e.ID.String()), m, handle{})
			return err
		}}},
	})
	if err != nil {
		return err
	}
	if err := reactor.Prepare(ctx); err != nil {
		return err
	}
	fmt.Println("consuming")
	return reactor.Run(ctx)
}
