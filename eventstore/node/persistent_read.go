package node

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"portal.example/eventstore/node/group"
)

// Read subscribes to a group: events go to the client, its answers come back.
func (s *persistentService) Read(call persistent.PersistentSubscriptions_ReadServer) error {
	return fail(call.Context(), s.subscribe(call))
}

func (s *persistentService) subscribe(call persistent.PersistentSubscriptions_ReadServer) error {
	ctx := call.Context()
	first, err := call.Recv()
	if err != nil {
		return err
	}
	o := first.GetOptions()
	if o == nil {
		return invalid("persistent subscription: the first message must be the options")
	}
	if o.GetStreamOption() == nil {
		return invalid("persistent subscription: neither a stream nor $all")
	}
	if o.GetBufferSize() < 1 {
		return invalid("buffer size %d: must be positive", o.GetBufferSize())
	}
	key, err := keyOf(o.GetStreamIdentifier(), o.GetAll() != nil, o.GetGroupName())
	if err != nil {
		return err
	}
	g, err := s.await(ctx, key)
	if err != nil {
		return err
	}
	_, text := o.GetUuidOption().GetContent().(*persistent.ReadReq_Options_UUIDOption_String_)
	sub := newSubscriber(ctx, int(o.GetBufferSize()), text)
	if err := g.join(ctx, sub); err != nil {
		return err
	}
	defer g.post(func() {
		g.leave(sub)
	})
	if err := call.SendMsg(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: key.String()},
	}}); err != nil {
		return err
	}
	heard := make(chan error, 1)
	go func() { heard <- g.hear(call, sub) }()
	return sub.send(call, heard)
}

// hear passes the client's answers on, until it has no more to say.
func (g *consumerGroup) hear(call persistent.PersistentSubscriptions_ReadServer, sub *subscriber) error {
	for {
		req, err := call.Recv()
		if err != nil {
			return err
		}
		var answer func()
		switch content := req.GetContent().(type) {
		case *persistent.ReadReq_Ack_:
			ids, err := parseIDs(content.Ack.GetIds())
			if err != nil {
				return err
			}
			answer = func() { g.group.Ack(g.now(), ids...) }
		case *persistent.ReadReq_Nack_:
			if _, known := persistent.ReadReq_Nack_Action_name[int32(content.Nack.GetAction())]; !known {
				return invalid("persistent subscription: there is no action %d", content.Nack.GetAction())
			}
			ids, err := parseIDs(content.Nack.GetIds())
			if err != nil {
				return err
			}
			answer = func() { g.nack(sub, content.Nack.GetAction(), content.Nack.GetReason(), ids) }
		default:
			return invalid("persistent subscription: every message after the options must be an answer to events")
		}
		if !g.post(answer) {
			return g.whyStopped()
		}
	}
}

// maxAnswered bounds the events that a consumer answers for in one message, of
// which many wait for the group.
const maxAnswered = 5000

func parseIDs(ids []*shared.UUID) ([]uuid.UUID, error) {
	if len(ids) > maxAnswered {
		return nil, invalid("persistent subscription: %d ids in one answer, %d at most", len(ids), maxAnswered)
	}
	parsed := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		var err error
		if parsed[i], err = parseID(id); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// maxReasonBytes bounds what is written about a parked event. There is room for
// a stack.
const maxReasonBytes = 16 << 10

// shortened is a text of any origin as it may be kept and shown.
func shortened(text string, bytes int) string {
	return strings.ToValidUTF8(text[:min(len(text), bytes)], "")
}

func (g *consumerGroup) nack(sub *subscriber, action persistent.ReadReq_Nack_Action, reason string, ids []uuid.UUID) {
	now := g.now()
	reason = shortened(reason, maxReasonBytes)
	switch action {
	case persistent.ReadReq_Nack_Park:
		g.group.Nack(now, group.Park, reason, ids...)
	case persistent.ReadReq_Nack_Skip:
		g.group.Nack(now, group.Skip, reason, ids...)
	case persistent.ReadReq_Nack_Stop:
		if _, here := g.subscribers[sub]; here {
			g.drop(sub, groupDropped(g.key)) // what it had in hand goes to others
		}
	case persistent.ReadReq_Nack_Unknown, persistent.ReadReq_Nack_Retry:
		g.group.Nack(now, group.Retry, reason, ids...)
	}
}

// subscriber is a client that takes part in a group. The group puts events into
// it, and the call takes them out.
type subscriber struct {
	consumer *group.Consumer
	user     string
	name     string // of the client's connection
	textID   bool

	mu      sync.Mutex
	waiting []group.Delivery
	unsent  int // messages
	bytes   int // of those
	ready   chan struct{}

	dropped chan struct{} // closed when the group lets go of it
	why     error
}

func newSubscriber(ctx context.Context, size int, textID bool) *subscriber {
	s := &subscriber{
		user: applicationUser, name: connectionName(ctx), textID: textID,
		ready: make(chan struct{}, 1), dropped: make(chan struct{}),
	}
	if isAdmin(ctx) {
		s.user = administratorUser
	}
	s.consumer = &group.Consumer{Size: size, Deliver: s.deliver, Backlog: s.backlog}
	return s
}

const maxConnectionName = 256 // bytes

func connectionName(ctx context.Context) string {
	headers, _ := metadata.FromIncomingContext(ctx)
	if names := headers.Get("connection-name"); len(names) > 0 {
		return shortened(names[0], maxConnectionName)
	}
	return "<unknown>"
}

func (s *subscriber) deliver(d group.Delivery) {
	s.mu.Lock()
	s.waiting = append(s.waiting, d)
	s.unsent++
	s.bytes += d.Size()
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *subscriber) backlog() (messages, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsent, s.bytes
}

func (s *subscriber) take() []group.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.waiting
	s.waiting = nil
	return taken
}

func (s *subscriber) sent(d group.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsent--
	s.bytes -= d.Size()
}

func (s *subscriber) drop(why error) {
	s.why = why
	close(s.dropped)
}

func (s *subscriber) gone() bool {
	select {
	case <-s.dropped:
		return true
	default:
		return false
	}
}

// send sends what the group delivers until one side ends the subscription.
func (s *subscriber) send(call grpc.ServerStream, heard <-chan error) error {
	for {
		select {
		case <-s.dropped:
			return s.why
		case err := <-heard:
			if !errors.Is(err, io.EOF) {
				return err
			}
			heard = nil // it listens on, although it has no more to say
		case <-call.Context().Done():
			return call.Context().Err()
		case <-s.ready:
			for _, d := range s.take() {
				if s.gone() {
					return s.why // what is left goes to others
				}
				m := &eventMessage{record: d.Record, link: d.Link, textID: s.textID, tried: true, retries: d.Retries}
				if err := call.SendMsg(m); err != nil {
					return err
				}
				s.sent(d)
			}
		}
	}
}
