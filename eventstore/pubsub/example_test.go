package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/eventstore/pubsub"
)

// Messages are published to a stream, and received by subscribers of a group.
func Example() {
	client, stop := connectToLog()
	defer stop()

	subscriber, err := pubsub.NewSubscriber(client, pubsub.SubscriberConfig{ConsumerGroup: "mail"}, watermill.NopLogger{})
	if err != nil {
		panic(err)
	}
	defer subscriber.Close()
	messages, err := subscriber.Subscribe(context.Background(), pubsub.TypeTopic("OrderPlaced"))
	if err != nil {
		panic(err)
	}

	publisher := pubsub.NewPublisher(client, pubsub.PublisherConfig{})
	order := message.NewMessage(watermill.NewUUID(), message.Payload(`{"amount":20}`))
	order.Metadata.Set(pubsub.NameKey, "OrderPlaced")
	if err := publisher.Publish("order-17", order); err != nil {
		panic(err)
	}

	received := <-messages
	delivered, _ := pubsub.Delivered(received.Context())
	fmt.Printf("%s %s, event %d of %s\n",
		received.Metadata.Get(pubsub.NameKey), received.Payload, delivered.Event.Revision, delivered.Event.Stream)
	received.Ack()
	// Output: OrderPlaced {"amount":20}, event 0 of order-17
}

// In a router, what a handler cannot deal with is tried a few times and then
// parked, for an operator to look at. What could be dealt with goes on.
func ExampleParkOnError() {
	client, stop := connectToLog()
	defer stop()
	subscriber, err := pubsub.NewSubscriber(client, pubsub.SubscriberConfig{ConsumerGroup: "invoices"}, nil)
	if err != nil {
		panic(err)
	}
	publisher := pubsub.NewPublisher(client, pubsub.PublisherConfig{})

	router, err := message.NewRouter(message.RouterConfig{}, nil)
	if err != nil {
		panic(err)
	}
	router.AddMiddleware(
		pubsub.ParkOnError(nil),
		middleware.Retry{MaxRetries: 3, InitialInterval: time.Millisecond}.Middleware,
		middleware.Recoverer,
		middleware.CorrelationID, pubsub.CausationID,
	)
	router.AddHandler("make-invoice", "order-17", subscriber, "invoice-17", publisher,
		func(order *message.Message) ([]*message.Message, error) {
			if string(order.Payload) == `{}` {
				return nil, errors.New("an order without an amount")
			}
			return []*message.Message{message.NewMessage(watermill.NewUUID(), order.Payload)}, nil
		})
	go func() { _ = router.Run(context.Background()) }()
	<-router.Running()
	defer router.Close()

	for _, payload := range []string{`{}`, `{"amount":20}`} {
		if err := publisher.Publish("order-17", message.NewMessage(watermill.NewUUID(), message.Payload(payload))); err != nil {
			panic(err)
		}
	}
	group, err := pubsub.GroupOf("order-17", "invoices")
	if err != nil {
		panic(err)
	}
	fmt.Println(first(client, group.ParkedStream()))
	fmt.Println(first(client, "invoice-17"))
	// Output:
	// 0@order-17
	// {"amount":20}
}

// connectToLog starts a log to try things out with. Any EventStoreDB will do: its
// connection string is all there is to say.
func connectToLog() (client *eventstore.Client, stop func()) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	log, err := node.Start(context.Background(), node.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	client, err = eventstore.Connect(eventstore.Config{ConnectionString: log.ConnectionString()})
	if err != nil {
		panic(err)
	}
	return client, func() {
		if err := errors.Join(client.Close(), log.Close(), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
}

// first waits for the first event of a stream.
func first(client *eventstore.Client, stream string) string {
	events := client.Subscribe(context.Background(), eventstore.SubscribeOptions{Filter: eventstore.StreamPrefix(stream)})
	defer events.Close()
	for {
		notices, err := events.NextBatch(context.Background(), 1)
		if err != nil {
			panic(err)
		}
		if notices[0].Kind == eventstore.EventAppeared {
			return string(notices[0].Event.Data)
		}
	}
}
