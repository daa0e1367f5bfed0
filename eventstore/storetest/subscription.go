package storetest

import (
	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// subscription receives for a test, and ends it where the server drops the
// subscription.
type subscription struct {
	h     *harness
	inner *esdb.Subscription
}

func (h *harness) subscribe(stream string, options esdb.SubscribeToStreamOptions) *subscription {
	h.Helper()
	inner, err := h.client.SubscribeToStream(h.ctx, stream, options)
	if err != nil {
		h.Fatalf("subscription to %s: %v", stream, err)
	}
	h.Cleanup(func() { _ = inner.Close() })
	return &subscription{h, inner}
}

func (h *harness) subscribeAll(options esdb.SubscribeToAllOptions) *subscription {
	h.Helper()
	inner, err := h.client.SubscribeToAll(h.ctx, options)
	if err != nil {
		h.Fatalf("subscription to $all: %v", err)
	}
	h.Cleanup(func() { _ = inner.Close() })
	return &subscription{h, inner}
}

func (s *subscription) recv() *esdb.SubscriptionEvent {
	s.h.Helper()
	got := s.inner.Recv()
	if got.SubscriptionDropped != nil {
		s.h.Fatalf("the subscription was dropped: %v", got.SubscriptionDropped.Error)
	}
	return got
}

// next waits for an event, whatever else comes before it.
func (s *subscription) next() *esdb.ResolvedEvent {
	s.h.Helper()
	for {
		if got := s.recv(); got.EventAppeared != nil {
			return got.EventAppeared
		}
	}
}

func (s *subscription) take(n int) []*esdb.ResolvedEvent {
	s.h.Helper()
	got := make([]*esdb.ResolvedEvent, 0, n)
	for range n {
		got = append(got, s.next())
	}
	return got
}

// takeOf waits for n events of one stream, passing over those of others.
func (s *subscription) takeOf(stream string, n int) []*esdb.ResolvedEvent {
	s.h.Helper()
	got := make([]*esdb.ResolvedEvent, 0, n)
	for len(got) < n {
		if e := s.next(); e.OriginalEvent().StreamID == stream {
			got = append(got, e)
		}
	}
	return got
}

// untilCaughtUp returns what comes before the subscription goes live.
func (s *subscription) untilCaughtUp() []*esdb.SubscriptionEvent {
	s.h.Helper()
	var got []*esdb.SubscriptionEvent
	for {
		e := s.recv()
		if e.CaughtUp != nil {
			return got
		}
		got = append(got, e)
	}
}

// appeared picks the events out of what a subscription received.
func appeared(received []*esdb.SubscriptionEvent) []*esdb.ResolvedEvent {
	var events []*esdb.ResolvedEvent
	for _, r := range received {
		if r.EventAppeared != nil {
			events = append(events, r.EventAppeared)
		}
	}
	return events
}
