package eventstore

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// session is a consumer's part in its group over one connection. Events and
// their answers go over the same one.
type session struct {
	consumer  *Consumer
	ctx       context.Context // ends with the connection
	cancel    context.CancelCauseFunc
	delivered atomic.Bool // an event, at least

	mu    sync.Mutex
	acks  []*esdb.ResolvedEvent
	nacks []nack
	due   chan struct{} // a token for the goroutine that sends answers
}

type nack struct {
	action esdb.NackAction
	reason string
	event  *esdb.ResolvedEvent
}

func newSession(k *Consumer) *session {
	s := &session{consumer: k, due: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancelCause(k.ctx)
	return s
}

// lost tells that who gets an event from here need not bother.
func (s *session) lost() bool { return s.ctx.Err() != nil }

func (s *session) ack(event *esdb.ResolvedEvent) {
	s.mu.Lock()
	s.acks = append(s.acks, event)
	s.mu.Unlock()
	signal(s.due)
}

func (s *session) nack(action esdb.NackAction, reason string, event *esdb.ResolvedEvent) {
	s.mu.Lock()
	s.nacks = append(s.nacks, nack{action, reason, event})
	s.mu.Unlock()
	signal(s.due)
}

// run returns when the connection is lost, the log refuses, or the consumer has
// taken leave.
func (s *session) run() error {
	defer s.cancel(nil)
	links := s.consumer.client.links
	link, err := links.acquire(s.consumer.staying)
	if err != nil {
		return err
	}
	left := make(chan error, 1)
	go func() { // which the esdb client may detain beyond its context
		defer links.release(link)
		left <- s.converse(link.db)
	}()
	select {
	case err = <-left:
	case <-s.ctx.Done():
		err = s.ctx.Err()
	}
	if cause := context.Cause(s.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if connectionLost(err) {
		links.drop(link)
	}
	return err
}

func (s *session) converse(db *esdb.Client) error {
	// A group may have nothing to deliver for ever, but it confirms at once.
	silence := time.AfterFunc(s.consumer.client.timeout, func() { s.cancel(errSilent) })
	defer silence.Stop()
	return shielded(s.ctx, db, func(ctx context.Context, db *esdb.Client) (none struct{}, err error) {
		// Not s.cancel, which would have run go on before it hears why this ends.
		ctx, end := context.WithCancel(ctx)
		defer end()
		subscription, err := s.join(ctx, db)
		if err != nil {
			return none, joinProblem(err)
		}
		silence.Stop()
		answering := make(chan struct{})
		go func() {
			defer close(answering)
			s.answer(ctx, db, subscription)
		}()
		defer func() {
			end()
			<-answering // gRPC does not allow closing while something is being sent
			_ = subscription.Close()
		}()
		return none, groupProblem(s.receive(subscription))
	}).err
}

func (s *session) join(ctx context.Context, db *esdb.Client) (*esdb.PersistentSubscription, error) {
	group := s.consumer.group
	options := esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: uint32(s.consumer.buffer)}
	if group.Stream == "" {
		return db.SubscribeToPersistentSubscriptionToAll(ctx, group.Name, options)
	}
	return db.SubscribeToPersistentSubscription(ctx, group.Stream, group.Name, options)
}

// joinProblem also tells the one failed precondition that there is.
func joinProblem(err error) error {
	if status.Code(err) == codes.FailedPrecondition {
		return errGroupFull
	}
	return groupProblem(err)
}

// receive hands on what comes, until the subscription is dropped.
func (s *session) receive(subscription *esdb.PersistentSubscription) error {
	for {
		message := subscription.Recv()
		if message.SubscriptionDropped != nil {
			return message.SubscriptionDropped.Error
		}
		if message.EventAppeared == nil {
			return errors.New("an empty message")
		}
		event := message.EventAppeared.Event
		if event.Event == nil { // a link to what is gone: there is nothing to do
			s.nack(esdb.NackActionSkip, "the link leads nowhere", event)
			continue
		}
		s.delivered.Store(true)
		select {
		case s.consumer.deliveries <- Delivery{
			Event: recorded(event), Retries: message.EventAppeared.RetryCount, answer: event, from: s,
		}:
		case <-s.consumer.staying.Done(): // nobody wants it, and it goes back to the group
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// answer sends the answers that are given, as many at once as have gathered,
// until the connection is lost or the consumer takes leave.
func (s *session) answer(ctx context.Context, db *esdb.Client, subscription *esdb.PersistentSubscription) {
	for leaving := false; ; {
		acks, nacks := s.takeAnswers()
		if len(acks)+len(nacks) > 0 {
			err := s.send(db, subscription, acks, nacks)
			if errors.Is(err, io.EOF) {
				return // the subscription has ended, and receive hears why
			}
			if err != nil {
				s.cancel(err)
				return
			}
			continue
		}
		if leaving {
			s.stop(ctx, db, subscription)
			s.cancel(nil)
			return
		}
		select {
		case <-s.due:
		case <-s.consumer.staying.Done():
			leaving = true // once more, for answers that came just before
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) takeAnswers() (acks []*esdb.ResolvedEvent, nacks []nack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	acks, nacks, s.acks, s.nacks = s.acks, s.nacks, nil, nil
	return acks, nacks
}

// maxAnswers bounds the events that are answered by one message.
const maxAnswers = 1000

func (s *session) send(db *esdb.Client, subscription *esdb.PersistentSubscription, acks []*esdb.ResolvedEvent, nacks []nack) error {
	return shielded(s.ctx, db, func(context.Context, *esdb.Client) (none struct{}, err error) {
		for len(acks) > 0 && err == nil {
			n := min(len(acks), maxAnswers)
			err, acks = subscription.Ack(acks[:n]...), acks[n:]
		}
		for _, n := range nacks {
			if err == nil {
				err = subscription.Nack(n.reason, n.action, n.event)
			}
		}
		return none, err
	}).err
}

// farewell is how long a consumer that has said its last answer stays, where the
// log does not show it out before.
const farewell = 250 * time.Millisecond

// stop asks the log to end the subscription, which it does after the answers that
// came before. Ending it from here throws away what has not been sent yet, and the
// esdb client has no other way. EventStoreDB takes no notice of the request, hence
// the bound, within which the answers should be there.
func (s *session) stop(ctx context.Context, db *esdb.Client, subscription *esdb.PersistentSubscription) {
	nobody := &esdb.ResolvedEvent{Event: &esdb.RecordedEvent{EventID: uuid.New()}} // an event has to be named
	if err := s.send(db, subscription, nil, []nack{{esdb.NackActionStop, "closing", nobody}}); err != nil {
		return
	}
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-late.C:
	case <-ctx.Done(): // receive has heard of the end
	}
}
