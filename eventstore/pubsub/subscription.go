package pubsub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"portal.example/eventstore"
)

// subscription is what one Subscribe began.
type subscription struct {
	subscriber *Subscriber
	topic      string
	group      eventstore.Group
	logger     watermill.LoggerAdapter
	out        chan *message.Message

	ctx     context.Context // of the messages: it outlives staying, so that they can be finished
	cancel  context.CancelFunc
	staying context.Context // ends when no more messages are to be handed out
	leave   context.CancelFunc

	consumer *eventstore.Consumer
	slots    chan struct{} // a token for each message that is handed out
	inFlight sync.WaitGroup
	givenUp  chan struct{} // closed when they have had their time
}

func newSubscription(ctx context.Context, s *Subscriber, topic string, group eventstore.Group) *subscription {
	sub := &subscription{
		subscriber: s, topic: topic, group: group,
		logger: s.logger.With(watermill.LogFields{"topic": topic, "consumer_group": s.config.ConsumerGroup}),
		out:    make(chan *message.Message),
		slots:  make(chan struct{}, s.config.InFlight), givenUp: make(chan struct{}),
	}
	sub.ctx, sub.cancel = context.WithCancel(context.WithoutCancel(ctx))
	sub.staying, sub.leave = context.WithCancel(ctx)
	return sub
}

func (s *subscription) run() {
	defer close(s.out)
	defer s.cancel()
	defer s.leave()
	go func() {
		select {
		case <-s.subscriber.closed:
			s.leave()
		case <-s.staying.Done():
		}
	}()

	s.logger.Info("Subscribed", nil)
	for s.consume(); ; s.consume() {
		err := s.deliver()
		if s.staying.Err() != nil || errors.Is(err, eventstore.ErrClosed) { // the client's end is ours, too
			break
		}
		s.logger.Error("Subscription interrupted", err, nil)
		s.rejoin(err)
	}
	s.settle()
	s.logger.Info("Subscription ended", nil)
}

func (s *subscription) consume() {
	// As much again as is handed out, so that nobody waits for the next message.
	options := eventstore.ConsumeOptions{Buffer: 2 * s.subscriber.config.InFlight}
	s.consumer = s.subscriber.client.Consume(s.ctx, s.group, options)
}

// deliver hands out messages until the subscription is to end or the log refuses.
func (s *subscription) deliver() error {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.staying.Done():
			return s.staying.Err()
		}
		delivery, err := s.consumer.Next(s.staying)
		if err == nil {
			err = s.handOut(delivery)
		}
		if err != nil {
			<-s.slots
			return err
		}
	}
}

// handOut fails when the subscription is to end before somebody has taken the
// message, which goes back to the group then.
func (s *subscription) handOut(delivery eventstore.Delivery) error {
	msg, err := s.subscriber.config.Unmarshaler.Unmarshal(delivery.Event)
	if err != nil {
		s.logger.Error("Parking an event that makes no message", err, watermill.LogFields{"event_id": delivery.Event.ID.String()})
		delivery.Park("unmarshal: " + err.Error())
		<-s.slots
		return nil
	}
	t := &ticket{delivery: delivery, group: s.group}
	ctx, cancel := context.WithCancel(context.WithValue(s.ctx, ticketKey{}, t))
	msg.SetContext(ctx)
	select {
	case s.out <- msg:
		s.inFlight.Go(func() {
			s.await(msg, t)
			cancel()
			<-s.slots
		})
		return nil
	case <-s.staying.Done():
		cancel()
		return s.staying.Err()
	}
}

// await passes the answer to a message on.
func (s *subscription) await(msg *message.Message, t *ticket) {
	select {
	case <-msg.Acked():
		t.delivery.Ack()
	case <-msg.Nacked():
		if reason := t.park.Load(); reason != nil {
			t.delivery.Park(*reason)
		} else {
			t.delivery.Retry()
		}
	case <-s.givenUp:
	}
}

// refusedPause is how long to wait where the log refuses, which somebody has to
// put right.
const refusedPause = time.Second

// rejoin prepares for taking part anew: with a new group where the old one was
// deleted.
func (s *subscription) rejoin(err error) {
	if errors.Is(err, eventstore.ErrGroupNotFound) {
		if err = s.subscriber.createGroup(s.staying, s.topic); err == nil {
			return
		}
		s.logger.Error("The group could not be created", err, nil)
	}
	pause := time.NewTimer(refusedPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-s.staying.Done():
	}
}

// farewell bounds the sending of the last answers.
const farewell = 2 * time.Second

// settle waits until all messages that were handed out have been answered, gives
// up those that take too long, and takes leave of the group.
func (s *subscription) settle() {
	settled := make(chan struct{})
	go func() {
		s.inFlight.Wait()
		close(settled)
	}()
	late := time.NewTimer(s.subscriber.config.CloseTimeout)
	defer late.Stop()
	select {
	case <-settled:
	case <-late.C:
		s.logger.Info("Giving up messages that were not answered in time", watermill.LogFields{"messages": len(s.slots)})
		close(s.givenUp)
		<-settled
	}
	ctx, cancel := context.WithTimeout(s.ctx, farewell)
	defer cancel()
	s.consumer.Close(ctx)
}
