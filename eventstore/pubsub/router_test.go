package pubsub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/logtest"
	"portal.example/eventstore/pubsub"
)

// What keeps failing is parked with the reason, a panic with its stack, and holds
// up nothing else.
func TestRouterParksWhatKeepsFailing(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{})
	router := newRouter(t)
	router.AddMiddleware(
		pubsub.ParkOnError(nil),
		middleware.Retry{MaxRetries: 2, InitialInterval: time.Millisecond}.Middleware,
		middleware.Recoverer,
	)
	tries := make(chan string, 100)
	router.AddConsumerHandler("handler", "order-1", subscriber, func(msg *message.Message) error {
		tries <- string(msg.Payload)
		switch string(msg.Payload) {
		case "panics":
			panic("cannot be")
		case "fails":
			return errors.New("no such customer")
		}
		return nil
	})
	run(t, router)
	for _, payload := range []string{"panics", "fails", "works"} {
		if err := publisher.Publish("order-1", message.NewMessage(uuid.NewString(), message.Payload(payload))); err != nil {
			t.Fatal(err)
		}
	}
	counts := map[string]int{}
	for range 3 + 3 + 1 {
		select {
		case payload := <-tries:
			counts[payload]++
		case <-time.After(time.Minute):
			t.Fatalf("tries: %v", counts)
		}
	}
	if counts["panics"] != 3 || counts["fails"] != 3 || counts["works"] != 1 {
		t.Errorf("tries: %v", counts)
	}
	reasons := logtest.Parked(t, client, eventstore.Group{Stream: "order-1", Name: "mail"}, 2)
	if !strings.Contains(reasons["0@order-1"], "cannot be") || !strings.Contains(reasons["0@order-1"], "router_test.go") {
		t.Errorf("the panic was parked for %s", reasons["0@order-1"])
	}
	if !strings.Contains(reasons["1@order-1"], "no such customer") {
		t.Errorf("the failure was parked for %s", reasons["1@order-1"])
	}
}

func TestParkOnErrorChooses(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{})
	out := subscribe(t, subscriber, "order-1")
	publishNew(t, publisher, "order-1", 1)
	passing := errors.New("try again later")
	handle := pubsub.ParkOnError(func(err error) bool { return !errors.Is(err, passing) })(
		func(*message.Message) ([]*message.Message, error) { return nil, passing })
	msg := receive(t, out)
	if _, err := handle(msg); !errors.Is(err, passing) {
		t.Errorf("got %v", err)
	}
	select {
	case <-msg.Nacked():
		t.Error("parked")
	default:
	}
	msg.Ack()
}

func TestProducedMessagesNameTheirCause(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{})
	router := newRouter(t)
	router.AddMiddleware(middleware.CorrelationID, pubsub.CausationID)
	router.AddHandler("handler", "order-1", subscriber, "invoice-1", publisher, func(*message.Message) ([]*message.Message, error) {
		named := message.NewMessage(uuid.NewString(), nil)
		named.Metadata.Set(pubsub.CausationKey, "another")
		return []*message.Message{message.NewMessage(uuid.NewString(), nil), named}, nil
	})
	run(t, router)
	order := message.NewMessage("order one", nil)
	middleware.SetCorrelationID("one thing leads to another", order)
	if err := publisher.Publish("order-1", order); err != nil {
		t.Fatal(err)
	}
	_, other := newPubSub(t, client, pubsub.SubscriberConfig{Group: eventstore.GroupSettings{FromStart: true}})
	out := subscribe(t, other, "invoice-1")
	var cause eventstore.Recorded
	for event, err := range client.ReadStream(t.Context(), "order-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		cause = event
	}
	for range 2 {
		msg := receive(t, out)
		delivered, _ := pubsub.Delivered(msg.Context())
		want := []string{cause.ID.String(), "another"}[delivered.Event.Revision]
		if msg.Metadata.Get(pubsub.CausationKey) != want || middleware.MessageCorrelationID(msg) != "one thing leads to another" {
			t.Errorf("metadata %v, want the cause %s", msg.Metadata, want)
		}
		msg.Ack()
	}
}

// A router that is closed finishes what its handlers have in hand, what they
// produce included.
func TestRouterFinishesItsWork(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{CloseTimeout: time.Minute})
	router := newRouter(t)
	const messages = 5
	started, finish, ending := make(chan struct{}), make(chan struct{}), make(chan struct{})
	router.AddHandler("handler", "order-1", watched{subscriber, ending}, "invoice-1", publisher, func(msg *message.Message) ([]*message.Message, error) {
		started <- struct{}{}
		select {
		case <-finish:
			return []*message.Message{message.NewMessage(uuid.NewString(), msg.Payload)}, nil
		case <-msg.Context().Done():
			return nil, msg.Context().Err()
		}
	})
	run(t, router)
	publishNew(t, publisher, "order-1", messages)
	for range messages {
		<-started
	}
	closed := make(chan error, 1)
	go func() { closed <- router.Close() }()
	<-ending
	close(finish)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	invoices := 0
	for _, err := range client.ReadStream(t.Context(), "invoice-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		invoices++
	}
	if invoices != messages {
		t.Errorf("%d invoices for %d orders", invoices, messages)
	}
	publishNew(t, publisher, "order-1", 1)
	_, other := newPubSub(t, client, pubsub.SubscriberConfig{})
	msg := receive(t, subscribe(t, other, "order-1"))
	if delivered, _ := pubsub.Delivered(msg.Context()); delivered.Event.Revision != messages {
		t.Errorf("event %d came again", delivered.Event.Revision)
	}
	msg.Ack()
}

// watched tells when its subscription is to end.
type watched struct {
	*pubsub.Subscriber
	ending chan struct{}
}

func (w watched) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	context.AfterFunc(ctx, func() { close(w.ending) })
	return w.Subscriber.Subscribe(ctx, topic)
}

func newRouter(t *testing.T) *message.Router {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// run runs the router until the test ends.
func run(t *testing.T, router *message.Router) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	select {
	case <-router.Running():
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(router.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
}
