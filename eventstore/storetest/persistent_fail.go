package storetest

import (
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

// This file is about events that consumers could not deal with.

func persistentRetry(h *harness) {
	stream, _ := h.existing(1)
	c := h.consume(stream, esdb.Start{}).join(10)
	c.nack(esdb.NackActionRetry, c.wantTried(0, 0))
	c.nack(esdb.NackActionUnknown, c.wantTried(0, 1))
	c.wantTried(0, 2)
}

func persistentSkip(h *harness) {
	stream, _ := h.existing(2)
	group := h.consume(stream, esdb.Start{}, checkpointEach)
	c := group.join(1)
	c.nack(esdb.NackActionSkip, c.wantTried(0, 0))
	c.ack(c.wantTried(1, 0))
	if got := string(group.follow("-checkpoint").next().Event.Data); got != `"0"` && got != `"1"` {
		h.Errorf("checkpoint %s", got)
	}
	group.until("nothing is left", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.OutstandingMessagesCount == 0 && i.Stats.ParkedMessagesCount == 0
	})
}

func persistentPark(h *harness) {
	stream, proposed := h.existing(2)
	group := h.consume(stream, esdb.Start{})
	c := group.join(1)
	c.nack(esdb.NackActionPark, c.wantTried(0, 0))
	c.wantTried(1, 0)
	link := group.follow("-parked").next().Event
	if link.EventType != "$>" || string(link.Data) != "0@"+stream {
		h.Errorf("parked as %s %s", link.EventType, link.Data)
	}
	if !strings.Contains(string(link.UserMetadata), "storetest says so") {
		h.Errorf("the reason is not in %s", link.UserMetadata)
	}
	h.wantEventsResolved(h.readWith(group.own("-parked"), resolving, everything), proposed[:1])
	group.until("one is parked", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Stats.ParkedMessagesCount == 1 })
}

func (h *harness) wantEventsResolved(read []*esdb.ResolvedEvent, proposed []esdb.EventData) {
	h.Helper()
	var got []string
	for _, e := range read {
		got = append(got, e.Event.EventID.String())
	}
	if diff := cmp.Diff(proposedIDs(proposed), got); diff != "" {
		h.Fatalf("ids of the events linked to (-want +got):\n%s", diff)
	}
}

func persistentTimeout(h *harness) {
	stream, proposed := h.existing(1)
	group := h.consume(stream, esdb.Start{}, timeout(50*time.Millisecond), maxRetries(2))
	c := group.join(10)
	for try := range 3 {
		c.wantTried(0, try)
	}
	link := group.follow("-parked").next().Event
	if string(link.Data) != "0@"+stream || !strings.Contains(string(link.UserMetadata), "Reached retry count of 2") {
		h.Errorf("parked as %s with %s", link.Data, link.UserMetadata)
	}
	h.wantEventsResolved(h.readWith(group.own("-parked"), resolving, everything), proposed)
}

// parkedGroup has parked all events of a stream.
func (h *harness) parkedGroup(n int) (*consumers, *consumer, []esdb.EventData) {
	h.Helper()
	stream, proposed := h.existing(n)
	group := h.consume(stream, esdb.Start{})
	c := group.join(1)
	parked := group.follow("-parked")
	for i := range n {
		c.nack(esdb.NackActionPark, c.wantTried(uint64(i), 0))
		parked.next()
	}
	group.until("all are parked", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Stats.ParkedMessagesCount == int64(n) })
	return group, c, proposed
}

func persistentReplay(h *harness) {
	group, c, proposed := h.parkedGroup(3)
	if err := group.replay(esdb.ReplayParkedMessagesOptions{}); err != nil {
		h.Fatal(err)
	}
	for i := range 3 {
		got := c.next()
		if got.RetryCount != 0 || got.Event.Event.EventID != proposed[i].EventID {
			h.Fatalf("replayed: %s with %d retries", got.Event.Event.EventID, got.RetryCount)
		}
		if i == 1 {
			c.nack(esdb.NackActionPark, got.Event) // once more
			continue
		}
		c.ack(got.Event)
	}
	group.until("one is parked", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.ParkedMessagesCount == 1 && i.Stats.OutstandingMessagesCount == 0
	})
	var left []*esdb.ResolvedEvent
	for again := true; again; again = len(left) != 1 && h.ctx.Err() == nil {
		left = h.readWith(group.own("-parked"), resolving, everything)
	}
	h.wantEventsResolved(left, proposed[1:2])
}

func persistentReplayStopAt(h *harness) {
	group, c, proposed := h.parkedGroup(3)
	if err := group.replay(esdb.ReplayParkedMessagesOptions{StopAt: 2}); err != nil {
		h.Fatal(err)
	}
	for i := range 2 {
		e := c.next().Event
		if e.Event.EventID != proposed[i].EventID {
			h.Fatalf("replayed: %s", e.Event.EventID)
		}
		c.ack(e)
	}
	group.until("one stays parked", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.ParkedMessagesCount == 1 && i.Stats.OutstandingMessagesCount == 0
	})
}
