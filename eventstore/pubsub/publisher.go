package pubsub

import (
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"portal.example/eventstore"
)

// PublisherConfig says how a Publisher works.
type PublisherConfig struct {
	// Marshaler is DefaultMarshaler by default.
	Marshaler Marshaler
}

// Publisher appends messages to the log. It is safe for use by many goroutines.
type Publisher struct {
	client    *eventstore.Client
	marshaler Marshaler
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher makes a publisher. The client remains the caller's to close.
func NewPublisher(client *eventstore.Client, config PublisherConfig) *Publisher {
	p := &Publisher{client: client, marshaler: config.Marshaler}
	if p.marshaler == nil {
		p.marshaler = DefaultMarshaler{}
	}
	return p
}

// Publish appends the messages to the stream that the topic names: all of them or
// none, whatever its revision is. Once it returns nil they are on disk. The context
// of the first message governs all of them.
//
// It fails with an eventstore.Error: ErrTooLarge where the messages together are
// larger than eventstore.MaxAppendSize; ErrUnavailable where the log could not be
// reached in time, and the messages may have been appended or not.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if strings.HasPrefix(topic, typePrefix) {
		return fmt.Errorf("pubsub: topic %q is of a type of events: publish to a stream", topic)
	}
	if len(messages) == 0 {
		return nil
	}
	events := make([]eventstore.Proposed, len(messages))
	for i, msg := range messages {
		if err := msg.Context().Err(); err != nil {
			return fmt.Errorf("pubsub: message %s: %w", msg.UUID, err)
		}
		var err error
		if events[i], err = p.marshaler.Marshal(topic, msg); err != nil {
			return fmt.Errorf("pubsub: message %s: %w", msg.UUID, err)
		}
	}
	_, err := p.client.Append(messages[0].Context(), topic, eventstore.Any(), events...)
	return err
}

// Close does nothing: what was published is on disk, and the client may have other
// users. A Router closes the publisher that its handlers share when the first of
// them stops, and the others must be able to go on.
func (p *Publisher) Close() error { return nil }
