package pubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
)

// features is what persistent subscriptions have. They promise no order and may
// deliver twice, so the suite leaves out what it has for those who do; what holds
// under conditions is tried below. Its test of restarts needs a program that
// restarts the broker and has a data race of its own (a list that it reads while
// another goroutine appends to it): TestMessagesOutliveRestarts stands in.
var features = tests.Features{ConsumerGroups: true, Persistent: true}

// TestPubSub is Watermill's own suite, in its full form.
func TestPubSub(t *testing.T) {
	t.Parallel()
	construct := pubSubs(startLog(t), pubsub.SubscriberConfig{})
	tests.TestPubSub(t, features, inGroup("suite", construct), construct)
}

// A new group gets what is there already, where it is told to.
func TestNewGroupReceivesOldMessages(t *testing.T) {
	t.Parallel()
	construct := pubSubs(startLog(t), pubsub.SubscriberConfig{Group: eventstore.GroupSettings{FromStart: true}})
	tests.TestNewSubscriberReceivesOldMessages(t,
		tests.TestContext{TestID: tests.NewTestID(), Features: tests.Features{NewSubscriberReceivesOldMessages: true}},
		func(t *testing.T) (message.Publisher, message.Subscriber) { return construct(t, watermill.NewUUID()) })
}

// With one message in flight, the next one waits for the answer.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	construct := pubSubs(startLog(t), pubsub.SubscriberConfig{InFlight: 1})
	ctx := tests.TestContext{TestID: tests.NewTestID(), Features: tests.Features{GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true}}
	tests.TestNoAck(t, ctx, inGroup("suite", construct))
	ctx.TestID = tests.NewTestID()
	// In order, as long as nothing fails: no nack, no restart, a single subscriber.
	tests.TestPublishSubscribeInOrder(t, ctx, inGroup("suite", construct))
}

// pubSubs makes publishers and subscribers that share a client, as a program does.
func pubSubs(log *eventLog, config pubsub.SubscriberConfig) tests.ConsumerGroupPubSubConstructor {
	client := log.connect()
	config.CloseTimeout = time.Second
	config.Group.MaxRetries = 10_000 // some tests nack what comes first hundreds of times
	return func(t *testing.T, consumerGroup string) (message.Publisher, message.Subscriber) {
		t.Helper()
		config := config
		config.ConsumerGroup = consumerGroup
		return pubsub.NewPublisher(client, pubsub.PublisherConfig{}), newSubscriber(t, client, config)
	}
}

func inGroup(consumerGroup string, construct tests.ConsumerGroupPubSubConstructor) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) { return construct(t, consumerGroup) }
}

func newSubscriber(t *testing.T, client *eventstore.Client, config pubsub.SubscriberConfig) *pubsub.Subscriber {
	t.Helper()
	subscriber, err := pubsub.NewSubscriber(client, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return subscriber
}
