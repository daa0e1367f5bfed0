package pubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/eventstore/pubsub"
)

// features is what EventStoreDB's persistent subscriptions have.
var features = tests.Features{
	ConsumerGroups: true,
	Persistent:     true,
	// Not ExactlyOnceDelivery and not GuaranteedOrder: persistent subscriptions
	// promise neither. Not NewSubscriberReceivesOldMessages: it is a new group
	// that does, with FromStart; a new subscriber shares in what is left.
}

func TestPubSub(t *testing.T) {
	client := startLog(t)
	newPubSub := func(t *testing.T, consumerGroup string) (message.Publisher, message.Subscriber) {
		t.Helper()
		subscriber, err := pubsub.NewSubscriber(client, pubsub.SubscriberConfig{
			ConsumerGroup: consumerGroup,
			CloseTimeout:  time.Second,
			// Some tests nack hundreds of times what comes first.
			Group: eventstore.GroupSettings{MaxRetries: 10_000},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return pubsub.NewPublisher(client, pubsub.PublisherConfig{}), subscriber
	}
	tests.TestPubSub(t, features,
		func(t *testing.T) (message.Publisher, message.Subscriber) {
			return newPubSub(t, "suite")
		},
		newPubSub,
	)
}

func startLog(t *testing.T) *eventstore.Client {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
