package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"portal.example/eventstore"
)

// SubscriberConfig says how a Subscriber works.
type SubscriberConfig struct {
	// ConsumerGroup names the persistent subscriptions that it takes part in;
	// see GroupOf. It is the one thing without a default.
	ConsumerGroup string
	// Group is what groups are created with where there is none: whether they
	// begin with what is there already (FromStart) or, by default, with what is
	// appended from then on; timeouts; retries. Groups that exist keep their
	// settings. Its Filter is set by the topic.
	Group eventstore.GroupSettings
	// Unmarshaler is DefaultMarshaler by default.
	Unmarshaler Unmarshaler
	// InFlight is how many messages of a subscription may be handed out and not
	// yet answered, 8 by default.
	InFlight int
	// CloseTimeout is how long a subscription that ends waits for the messages
	// that were handed out to be answered, 10 s by default. After it their
	// contexts are cancelled, and they go back to the group.
	CloseTimeout time.Duration
}

// Subscriber delivers events as messages. It is safe for use by many goroutines.
type Subscriber struct {
	client *eventstore.Client
	config SubscriberConfig
	logger watermill.LoggerAdapter

	mu      sync.Mutex
	closed  chan struct{}
	running sync.WaitGroup
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// ErrClosed is what a closed Subscriber refuses with.
var ErrClosed = errors.New("pubsub: the subscriber is closed")

// NewSubscriber makes a subscriber. The client remains the caller's to close, and
// must be open until the subscriber is closed. logger may be nil.
func NewSubscriber(client *eventstore.Client, config SubscriberConfig, logger watermill.LoggerAdapter) (*Subscriber, error) {
	switch {
	case config.ConsumerGroup == "":
		return nil, errors.New("pubsub: ConsumerGroup is empty")
	case config.InFlight < 0:
		return nil, fmt.Errorf("pubsub: InFlight is %d", config.InFlight)
	case config.CloseTimeout < 0:
		return nil, fmt.Errorf("pubsub: CloseTimeout is %s", config.CloseTimeout)
	}
	if config.Unmarshaler == nil {
		config.Unmarshaler = DefaultMarshaler{}
	}
	if config.InFlight == 0 {
		config.InFlight = 8
	}
	if config.CloseTimeout == 0 {
		config.CloseTimeout = 10 * time.Second
	}
	if logger == nil {
		logger = watermill.NopLogger{}
	}
	return &Subscriber{client: client, config: config, logger: logger, closed: make(chan struct{})}, nil
}

// SubscribeInitialize makes the group of the topic, where there is none, so that
// it has what is published before the first Subscribe.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	if s.isClosed() {
		return ErrClosed
	}
	return s.createGroup(context.Background(), topic)
}

func (s *Subscriber) createGroup(ctx context.Context, topic string) error {
	group, err := GroupOf(topic, s.config.ConsumerGroup)
	if err != nil {
		return err
	}
	settings := s.config.Group
	settings.Filter = filterOf(topic)
	err = s.client.CreateGroup(ctx, group, settings)
	if errors.Is(err, eventstore.ErrGroupExists) {
		return nil
	}
	return err
}

// Subscribe delivers the messages of the topic over the channel until ctx is over,
// or the subscriber is closed; the channel is closed then, after the messages that
// were handed out have been answered, or given up. Where there is no group it makes
// one, which needs the log to be there; later on, a log that is away is waited for.
//
// The context of a message has the values of ctx, and ends when the message is
// answered or given up: work under way can be finished while a program shuts down.
// (A Router cancels ctx at once when it is closed.)
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	group, err := GroupOf(topic, s.config.ConsumerGroup)
	if err != nil {
		return nil, err
	}
	if s.isClosed() {
		return nil, ErrClosed
	}
	if err := s.createGroup(ctx, topic); err != nil {
		return nil, err
	}

	s.mu.Lock() // so that Close waits for all that it does not refuse
	defer s.mu.Unlock()
	if s.isClosed() {
		return nil, ErrClosed
	}
	subscription := newSubscription(ctx, s, topic, group)
	s.running.Go(subscription.run)
	return subscription.out, nil
}

func (s *Subscriber) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// Close ends all subscriptions and waits for that, which takes little longer than
// CloseTimeout.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	if !s.isClosed() {
		close(s.closed)
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
