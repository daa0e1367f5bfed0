package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/logtest"
	"portal.example/eventstore/pubsub"
)

func TestTopicOfATypeIsOverAllStreams(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{})
	out := subscribe(t, subscriber, pubsub.TypeTopic("Sent.v2"))
	for i, name := range []string{"Sent", "Sent.v2", "Sent.v21", "Sentxv2", "unSent.v2", "Sent.v2"} {
		msg := message.NewMessage(uuid.NewString(), message.Payload(`{}`))
		msg.Metadata.Set(pubsub.NameKey, name)
		msg.Metadata.Set("stream", string(rune('a'+i)))
		if err := publisher.Publish("order-"+string(rune('a'+i)), msg); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 2 {
		msg := receive(t, out)
		delivered, ok := pubsub.Delivered(msg.Context())
		if !ok || delivered.Event.Type != "Sent.v2" || msg.Metadata.Get(pubsub.NameKey) != "Sent.v2" {
			t.Errorf("%+v, %+v", delivered, msg.Metadata)
		}
		got = append(got, delivered.Event.Stream)
		msg.Ack()
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"order-b", "order-f"}) {
		t.Errorf("events of %v", got)
	}
}

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher := pubsub.NewPublisher(client, pubsub.PublisherConfig{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	sound := message.NewMessage(uuid.NewString(), message.Payload(`{}`))
	unsound := message.NewMessage(uuid.NewString(), message.Payload(`{}`))
	unsound.Metadata.Set("customer", "\xff")
	for want, err := range map[string]error{
		`topic "type:Sent"`:       publisher.Publish("type:Sent", sound),
		"no name":                 publisher.Publish("", sound),
		context.Canceled.Error():  publisher.Publish("order-1", sound, message.NewMessageWithContext(over, "", nil)),
		`metadata "customer"`:     publisher.Publish("order-1", sound, unsound),
		"fit into one append":     publisher.Publish("order-1", sound, message.NewMessage("", make([]byte, eventstore.MaxAppendSize))),
		"the message has no body": pubsub.NewPublisher(client, pubsub.PublisherConfig{Marshaler: noBodies{}}).Publish("order-1", sound),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := publisher.Publish("order-1"); err != nil {
		t.Errorf("no messages: %v", err)
	}
	for event, err := range client.ReadStream(t.Context(), "order-1", 0) {
		if !errors.Is(err, eventstore.ErrStreamNotFound) {
			t.Errorf("a refused message is there: %+v, %v", event, err)
		}
	}
}

type noBodies struct{}

func (noBodies) Marshal(string, *message.Message) (eventstore.Proposed, error) {
	return eventstore.Proposed{}, errors.New("the message has no body")
}

func (noBodies) Unmarshal(eventstore.Recorded) (*message.Message, error) {
	return nil, errors.New("the event has no body")
}

func TestSubscribeRefuses(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	for want, config := range map[string]pubsub.SubscriberConfig{
		"ConsumerGroup": {},
		"InFlight":      {ConsumerGroup: "mail", InFlight: -1},
		"CloseTimeout":  {ConsumerGroup: "mail", CloseTimeout: -1},
	} {
		if _, err := pubsub.NewSubscriber(client, config, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	_, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{Group: eventstore.GroupSettings{Buffer: 1}})
	if _, err := subscriber.Subscribe(t.Context(), "order-1"); !errors.Is(err, eventstore.ErrInvalid) || !strings.Contains(err.Error(), "Buffer") {
		t.Errorf("impossible settings: %v", err)
	}
	if _, err := subscriber.Subscribe(t.Context(), "type:"); err == nil {
		t.Error("no type is taken")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, subscriber = newPubSub(t, client, pubsub.SubscriberConfig{})
	if _, err := subscriber.Subscribe(over, "order-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	if err := subscriber.Close(); err != nil {
		t.Error(err)
	}
	_, err := subscriber.Subscribe(t.Context(), "order-1")
	if !errors.Is(err, pubsub.ErrClosed) || !errors.Is(subscriber.SubscribeInitialize("order-1"), pubsub.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestParkedMessagesKeepTheReason(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{})
	out := subscribe(t, subscriber, "order-1")
	publishNew(t, publisher, "order-1", 2)
	reasons := map[string]string{"0@order-1": "no such customer", "1@order-1": strings.Repeat("é", eventstore.MaxReason)}
	for range 2 {
		msg := receive(t, out)
		delivered, _ := pubsub.Delivered(msg.Context())
		if !pubsub.Park(msg, reasons[link(delivered.Event)]) || msg.Ack() {
			t.Error("not parked")
		}
	}
	group, err := pubsub.GroupOf("order-1", "mail")
	if err != nil {
		t.Fatal(err)
	}
	for of, reason := range logtest.Parked(t, client, group, 2) {
		if want := reasons[of]; !strings.Contains(reason, want[:min(len(want), eventstore.MaxReason)]) || len(reason) > eventstore.MaxReason+100 || strings.ContainsRune(reason, '\ufffd') {
			t.Errorf("%s: parked for %d bytes: %.60s…", of, len(reason), reason)
		}
	}

	if err := client.ReplayParked(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		msg := receive(t, out)
		msg.Ack()
		if pubsub.Park(msg, "too late") {
			t.Error("parked after it was acknowledged")
		}
	}
	if pubsub.Park(message.NewMessage("", nil), "from elsewhere") {
		t.Error("parked a message that nobody delivered")
	}
}

func TestEventsThatMakeNoMessageAreParked(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{Unmarshaler: noBodies{}})
	subscribe(t, subscriber, "order-1")
	publishNew(t, publisher, "order-1", 1)
	group := eventstore.Group{Stream: "order-1", Name: "mail"}
	if reasons := logtest.Parked(t, client, group, 1); !strings.Contains(reasons["0@order-1"], "the event has no body") {
		t.Errorf("parked for %q", reasons)
	}
}

func TestDeletedGroupIsMadeAnew(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{Group: eventstore.GroupSettings{FromStart: true}})
	out := subscribe(t, subscriber, "order-1")
	publishNew(t, publisher, "order-1", 1)
	receive(t, out).Ack()
	if err := client.DeleteGroup(t.Context(), eventstore.Group{Stream: "order-1", Name: "mail"}); err != nil {
		t.Fatal(err)
	}
	receive(t, out).Ack() // the same, since the group is new
}

// The log is restarted twice while messages are published and received. Not in
// parallel: other logs might take its port meanwhile.
func TestMessagesOutliveRestarts(t *testing.T) {
	log := startLog(t)
	client := log.connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{Group: eventstore.GroupSettings{MaxRetries: 1000}})
	out := subscribe(t, subscriber, "order-1")
	const publishers, each = 20, 100
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for n := range each {
				if err := publisher.Publish("order-1", message.NewMessage(fmt.Sprintf("%d of %d", n, p), nil)); err != nil {
					t.Errorf("message %d of publisher %d: %v", n, p, err)
				}
			}
		})
	}
	received := map[string]int{}
	for len(received) < publishers*each {
		msg := receive(t, out)
		received[msg.UUID]++
		msg.Ack()
		if n := len(received); received[msg.UUID] == 1 && (n == publishers*each/3 || n == publishers*each/2) {
			log.restart()
		}
	}
	publishing.Wait()
}

// Close waits for what was handed out. It can be finished, and stays finished.
func TestCloseWaitsForAnswers(t *testing.T) {
	t.Parallel()
	type key struct{}
	for name, end := range map[string]func(context.CancelFunc, *pubsub.Subscriber){
		"Close":                   func(_ context.CancelFunc, s *pubsub.Subscriber) { go func() { _ = s.Close() }() },
		"the end of the context":  func(cancel context.CancelFunc, _ *pubsub.Subscriber) { cancel() },
		"both, as a router's end": func(cancel context.CancelFunc, s *pubsub.Subscriber) { cancel(); go func() { _ = s.Close() }() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := startLog(t).connect()
			publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{CloseTimeout: time.Minute})
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
			defer cancel()
			out, err := subscriber.Subscribe(ctx, "order-1")
			if err != nil {
				t.Fatal(err)
			}
			publishNew(t, publisher, "order-1", 3)
			first, second := receive(t, out), receive(t, out)
			end(cancel, subscriber)
			second.Ack()
			<-second.Context().Done() // its answer is on its way, and first is still there
			if first.Context().Err() != nil || first.Context().Value(key{}) != "kept" {
				t.Errorf("the context of a message under way: %v", first.Context().Err())
			}
			first.Ack()
			for msg := range out { // the third may have been on its way
				msg.Nack()
			}
			if err := subscriber.Close(); err != nil {
				t.Error(err)
			}

			_, other := newPubSub(t, client, pubsub.SubscriberConfig{})
			msg := receive(t, subscribe(t, other, "order-1"))
			if delivered, _ := pubsub.Delivered(msg.Context()); delivered.Event.Revision != 2 {
				t.Errorf("event %d came again", delivered.Event.Revision)
			}
			msg.Ack()
		})
	}
}

func TestCloseGivesUpWhatIsNotAnswered(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	publisher, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{CloseTimeout: time.Millisecond})
	out := subscribe(t, subscriber, "order-1")
	publishNew(t, publisher, "order-1", 1)
	msg := receive(t, out)
	if err := subscriber.Close(); err != nil {
		t.Fatal(err)
	}
	if msg.Context().Err() == nil {
		t.Error("the message's context is not over")
	}
	if _, open := <-out; open {
		t.Error("another message came after Close")
	}
	_, other := newPubSub(t, client, pubsub.SubscriberConfig{})
	again := receive(t, subscribe(t, other, "order-1"))
	if delivered, _ := pubsub.Delivered(again.Context()); delivered.Retries != 1 || again.UUID != msg.UUID {
		t.Errorf("message %s with %d retries, want %s with one", again.UUID, delivered.Retries, msg.UUID)
	}
	again.Ack()
}

func TestSubscriptionEndsWithTheClient(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	_, subscriber := newPubSub(t, client, pubsub.SubscriberConfig{})
	out := subscribe(t, subscriber, "order-1")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case _, open := <-out:
		if open {
			t.Error("a message came")
		}
	case <-time.After(time.Minute):
		t.Error("the channel is open")
	}
}

func newPubSub(t *testing.T, client *eventstore.Client, config pubsub.SubscriberConfig) (*pubsub.Publisher, *pubsub.Subscriber) {
	t.Helper()
	config.ConsumerGroup = "mail"
	subscriber := newSubscriber(t, client, config)
	t.Cleanup(func() {
		if err := subscriber.Close(); err != nil {
			t.Error(err)
		}
	})
	return pubsub.NewPublisher(client, pubsub.PublisherConfig{}), subscriber
}

func subscribe(t *testing.T, subscriber *pubsub.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	out, err := subscriber.Subscribe(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func receive(t *testing.T, out <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-out:
		if !open {
			t.Fatal("the channel is closed")
		}
		return msg
	case <-time.After(time.Minute):
		t.Fatal("no message")
		return nil
	}
}

func publishNew(t *testing.T, publisher *pubsub.Publisher, topic string, messages int) {
	t.Helper()
	for range messages {
		if err := publisher.Publish(topic, message.NewMessage(uuid.NewString(), message.Payload(`{}`))); err != nil {
			t.Fatal(err)
		}
	}
}

func link(event eventstore.Recorded) string {
	return string(rune('0'+event.Revision)) + "@" + event.Stream
}
