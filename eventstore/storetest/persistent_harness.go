package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
)

const theLog = "$all"

// consumers is a persistent subscription of a stream, or of the log.
type consumers struct {
	h             *harness
	stream, group string
}

// change makes a group's settings something else.
type change func(*esdb.PersistentSubscriptionSettings)

func maxRetries(n int32) change {
	return func(s *esdb.PersistentSubscriptionSettings) { s.MaxRetryCount = n }
}

func timeout(d time.Duration) change {
	return func(s *esdb.PersistentSubscriptionSettings) { s.MessageTimeout = int32(d.Milliseconds()) }
}

func strategy(name esdb.ConsumerStrategy) change {
	return func(s *esdb.PersistentSubscriptionSettings) { s.ConsumerStrategyName = name }
}

// checkpointEach writes a checkpoint for every event.
func checkpointEach(s *esdb.PersistentSubscriptionSettings) {
	s.CheckpointLowerBound, s.CheckpointUpperBound, s.CheckpointAfter = 1, 1, 1
}

func resolvingLinks(s *esdb.PersistentSubscriptionSettings) { s.ResolveLinkTos = true }

func settings(changes []change) *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	for _, change := range changes {
		change(&s)
	}
	return &s
}

// consume makes a group of a stream that no other test uses.
func (h *harness) consume(stream string, from esdb.StreamPosition, changes ...change) *consumers {
	h.Helper()
	c := &consumers{h, stream, "group-" + uuid.NewString()}
	if err := c.create(from, changes...); err != nil {
		h.Fatalf("group of %s: %v", stream, err)
	}
	return c
}

func (c *consumers) create(from esdb.StreamPosition, changes ...change) error {
	return c.h.client.CreatePersistentSubscription(c.h.ctx, c.stream, c.group,
		esdb.PersistentStreamSubscriptionOptions{Settings: settings(changes), StartFrom: from})
}

// consumeAll makes a group of the log, which is deleted when the test ends: the
// log goes on, and the group would work on it for ever.
func (h *harness) consumeAll(from esdb.AllPosition, filter *esdb.SubscriptionFilter, changes ...change) *consumers {
	h.Helper()
	c := &consumers{h, theLog, "group-" + uuid.NewString()}
	if err := h.client.CreatePersistentSubscriptionToAll(h.ctx, c.group,
		esdb.PersistentAllSubscriptionOptions{Settings: settings(changes), StartFrom: from, Filter: filter}); err != nil {
		h.Fatalf("group of $all: %v", err)
	}
	h.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), patience)
		defer cancel()
		_ = h.client.DeletePersistentSubscriptionToAll(ctx, c.group, esdb.DeletePersistentSubscriptionOptions{})
	})
	return c
}

func (c *consumers) delete() error {
	return c.h.client.DeletePersistentSubscription(c.h.ctx, c.stream, c.group, esdb.DeletePersistentSubscriptionOptions{})
}

func (c *consumers) replay(options esdb.ReplayParkedMessagesOptions) error {
	if c.stream == theLog {
		return c.h.client.ReplayParkedMessagesToAll(c.h.ctx, c.group, options)
	}
	return c.h.client.ReplayParkedMessages(c.h.ctx, c.stream, c.group, options)
}

func (c *consumers) tryInfo() (*esdb.PersistentSubscriptionInfo, error) {
	if c.stream == theLog {
		return c.h.client.GetPersistentSubscriptionInfoToAll(c.h.ctx, c.group, esdb.GetPersistentSubscriptionOptions{})
	}
	return c.h.client.GetPersistentSubscriptionInfo(c.h.ctx, c.stream, c.group, esdb.GetPersistentSubscriptionOptions{})
}

// until asks about the group until what it tells is as wanted.
func (c *consumers) until(what string, wanted func(*esdb.PersistentSubscriptionInfo) bool) {
	c.h.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		info, err := c.tryInfo()
		if err != nil {
			c.h.Fatalf("%s: %v", what, err)
		}
		if wanted(info) {
			return
		}
		select {
		case <-again.C:
		case <-c.h.ctx.Done():
			c.h.Fatalf("%s: it stays at %+v", what, *info.Stats)
		}
	}
}

func (c *consumers) own(suffix string) string {
	return "$persistentsubscription-" + c.stream + "::" + c.group + suffix
}

// follow receives what the group leaves in a stream of its own.
func (c *consumers) follow(suffix string) *subscription {
	c.h.Helper()
	return c.h.subscribe(c.own(suffix), esdb.SubscribeToStreamOptions{From: esdb.Start{}})
}

// consumer is one subscriber of a group.
type consumer struct {
	h     *harness
	inner *esdb.PersistentSubscription
}

func (c *consumers) tryJoin(size uint32) (*esdb.PersistentSubscription, error) {
	options := esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: size}
	if c.stream == theLog {
		return c.h.client.SubscribeToPersistentSubscriptionToAll(c.h.ctx, c.group, options)
	}
	return c.h.client.SubscribeToPersistentSubscription(c.h.ctx, c.stream, c.group, options)
}

func (c *consumers) join(size uint32) *consumer {
	c.h.Helper()
	inner, err := c.tryJoin(size)
	if err != nil {
		c.h.Fatalf("subscription to group %s of %s: %v", c.group, c.stream, err)
	}
	c.h.Cleanup(func() { _ = inner.Close() })
	return &consumer{c.h, inner}
}

func (c *consumer) next() *esdb.EventAppeared {
	c.h.Helper()
	got := c.inner.Recv()
	if got.SubscriptionDropped != nil {
		c.h.Fatalf("the subscription was dropped: %v", got.SubscriptionDropped.Error)
	}
	return got.EventAppeared
}

func (c *consumer) take(n int) []*esdb.ResolvedEvent {
	c.h.Helper()
	got := make([]*esdb.ResolvedEvent, 0, n)
	for range n {
		got = append(got, c.next().Event)
	}
	return got
}

func (c *consumer) ack(events ...*esdb.ResolvedEvent) {
	c.h.Helper()
	if err := c.inner.Ack(events...); err != nil {
		c.h.Fatal(err)
	}
}

func (c *consumer) nack(action esdb.NackAction, events ...*esdb.ResolvedEvent) {
	c.h.Helper()
	if err := c.inner.Nack("storetest says so", action, events...); err != nil {
		c.h.Fatal(err)
	}
}

// wantTried checks which event comes next and how often it was tried before.
func (c *consumer) wantTried(revision uint64, retries int) *esdb.ResolvedEvent {
	c.h.Helper()
	got := c.next()
	if e := got.Event.OriginalEvent(); e.EventNumber != revision || got.RetryCount != retries {
		c.h.Fatalf("event %d with %d retries, want event %d with %d", e.EventNumber, got.RetryCount, revision, retries)
	}
	return got.Event
}

// consumeRaw subscribes as it is said, and returns the answers' error and trailers.
func (h *harness) consumeRaw(requests ...*persistent.ReadReq) (metadata.MD, error) {
	call, err := persistent.NewPersistentSubscriptionsClient(h.conn).Read(authorised(h.ctx, h.config))
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		if call.Send(r) != nil {
			break // refused already; Recv says why
		}
	}
	for err == nil {
		_, err = call.Recv()
	}
	return call.Trailer(), err
}

func joinRequest(stream, group string, size int32) *persistent.ReadReq {
	return &persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: name(stream)},
		GroupName:    group, BufferSize: size,
		UuidOption: &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_String_{String_: empty}},
	}}}
}

func sortedRevisions(events []*esdb.ResolvedEvent) []uint64 {
	var got []uint64
	for _, e := range events {
		got = append(got, e.OriginalEvent().EventNumber)
	}
	slices.Sort(got)
	return got
}
