package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
)

const (
	reactionTopic    = "reaction-bench"
	reactionHandlers = 8
	// waitingMessages is how many messages may be published and not handled. What
	// has been published to a channel waits in goroutines.
	waitingMessages = 64
)

// watermillRows are about messages that are handled and acknowledged, by handlers
// that do nothing. What middleware costs is Watermill's own affair, so the ratio of
// the two is for information.
func watermillRows(lab *Lab) []Row {
	const (
		group = "watermill"
		over  = "Watermill with recoverer, retry and correlation"
		unit  = "messages/s"
	)
	subject := overChannel(lab, "Watermill with middleware", reactionMiddleware()...)
	return []Row{
		{Name: over, Group: group, Figure: Rate, Subject: subject, Budget: atLeast(40_000), Aim: atLeast(55_000), Unit: unit},
		{Name: over, Group: group, Figure: Rate, Subject: subject, Baseline: overChannel(lab, "Watermill alone")},
		{
			Name: "Watermill on a persistent subscription, " + strconv.Itoa(reactionHandlers) + " handlers", Group: group, Figure: Rate,
			Subject: overLog(lab), Budget: atLeast(15_000), Unit: unit,
		},
	}
}

// reactionMiddleware is what every reaction passes.
func reactionMiddleware() []message.HandlerMiddleware {
	return []message.HandlerMiddleware{
		middleware.Recoverer,
		middleware.Retry{MaxRetries: 3, InitialInterval: 100 * time.Millisecond, Multiplier: 2}.Middleware,
		middleware.CorrelationID,
	}
}

// overChannel counts the messages that a router handles which come over a Go
// channel: what Watermill itself takes.
func overChannel(lab *Lab, name string, middlewares ...message.HandlerMiddleware) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		ctx, cancel := context.WithTimeout(ctx, lab.Warmup+lab.Window+writeLimit)
		defer cancel()
		channel := gochannel.NewGoChannel(gochannel.Config{}, nil)
		var handled atomic.Int64
		waiting := make(chan struct{}, waitingMessages)
		stop, err := route(ctx, []message.Subscriber{channel}, middlewares, func(*message.Message) error {
			handled.Add(1)
			<-waiting
			return nil
		})
		if err != nil {
			return nil, err
		}
		begin := time.Now().Add(lab.Warmup)
		end := begin.Add(lab.Window)
		var before int64
		for n, now := 0, time.Now(); now.Before(end); n, now = n+1, time.Now() {
			if now.Before(begin) {
				before = handled.Load()
			}
			select {
			case waiting <- struct{}{}:
			case <-ctx.Done():
				return nil, errors.Join(ctx.Err(), stop())
			}
			msg := message.NewMessage(uuid.NewString(), message.Payload(lab.payloads[n%len(lab.payloads)].Data))
			middleware.SetCorrelationID(msg.UUID, msg)
			if err := channel.Publish(reactionTopic, msg); err != nil {
				return nil, errors.Join(err, stop())
			}
		}
		rate := float64(handled.Load()-before) / lab.Window.Seconds()
		return Sample{Rate: rate}, stop()
	}}
}

// overLog counts how fast handlers acknowledge the events of a stream in a node,
// from the first to the last.
func overLog(lab *Lab) *Side {
	return &Side{Name: "node", Measure: func(ctx context.Context) (Sample, error) {
		return lab.withServer(ctx, startHere, embeddedNode, func(s *server) (Sample, error) {
			client, err := s.portal()
			if err != nil {
				return nil, err
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(ctx, readLimit)
			defer cancel()
			if err := publishMessages(ctx, client, lab); err != nil {
				return nil, err
			}
			rate, err := timeReactions(ctx, client, lab.Read)
			return Sample{Rate: rate}, err
		})
	}}
}

// publishMessages appends the messages that are handled afterwards.
func publishMessages(ctx context.Context, client *eventstore.Client, lab *Lab) error {
	publisher := pubsub.NewPublisher(client, pubsub.PublisherConfig{})
	const each = 1000
	for n := 0; n < lab.Read; n += each {
		batch := make([]*message.Message, min(each, lab.Read-n))
		for i := range batch {
			batch[i] = message.NewMessageWithContext(ctx, uuid.NewString(), message.Payload(lab.payloads[(n+i)%len(lab.payloads)].Data))
			middleware.SetCorrelationID(batch[i].UUID, batch[i])
		}
		if err := publisher.Publish(reactionTopic, batch...); err != nil {
			return err
		}
	}
	return nil
}

// timeReactions returns messages a second, and insists on all of them. It begins
// when the handlers do, so the group is there by then.
func timeReactions(ctx context.Context, client *eventstore.Client, messages int) (float64, error) {
	subscriber, err := pubsub.NewSubscriber(client, pubsub.SubscriberConfig{
		ConsumerGroup: "bench", Group: eventstore.GroupSettings{FromStart: true},
	}, nil)
	if err != nil {
		return 0, err
	}
	if err := subscriber.SubscribeInitialize(reactionTopic); err != nil {
		return 0, err
	}
	subscribers := make([]message.Subscriber, reactionHandlers)
	for i := range subscribers {
		subscribers[i] = subscriber
	}
	var handled atomic.Int64
	all := make(chan struct{})
	started := time.Now()
	stop, err := route(ctx, subscribers, reactionMiddleware(), func(*message.Message) error {
		if handled.Add(1) == int64(messages) {
			close(all)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	select {
	case <-all:
	case <-ctx.Done():
		err = fmt.Errorf("%d messages handled of %d: %w", handled.Load(), messages, ctx.Err())
	}
	took := time.Since(started)
	return float64(messages) / took.Seconds(), errors.Join(err, stop())
}

// route starts a router with a handler for each subscriber, and returns how to
// stop it.
func route(
	ctx context.Context, subscribers []message.Subscriber, middlewares []message.HandlerMiddleware,
	handle message.NoPublishHandlerFunc,
) (stop func() error, err error) {
	router, err := message.NewRouter(message.RouterConfig{}, nil)
	if err != nil {
		return nil, err
	}
	router.AddMiddleware(middlewares...)
	for i, subscriber := range subscribers {
		router.AddConsumerHandler("handler "+strconv.Itoa(i), reactionTopic, subscriber, handle)
	}
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	select {
	case <-router.Running():
	case err := <-ended:
		return nil, err
	}
	return func() error { return errors.Join(router.Close(), <-ended) }, nil
}
