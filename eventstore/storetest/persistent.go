package storetest

import (
	"fmt"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

func persistentTests() []test {
	return []test{
		{"from the start come all events, before and after", persistentFromStart},
		{"from the end comes what is new", persistentFromEnd},
		{"from a revision comes that event and what is after it", persistentFromRevision},
		{"a group may wait for a stream that is not there", persistentBeforeStream},
		{"more events than any buffer holds", persistentManyEvents},
		{"no more are in flight than the consumer takes", persistentBufferSize},
		{"a group of $all with a filter", persistentAllFiltered},
		{"a group of $all from the end", persistentAllFromEnd},
		{"links are resolved, and acknowledged by their own ids", persistentLinks},
		{"nack with retry brings the event again and counts", persistentRetry},
		{"nack with skip is an end of it", persistentSkip},
		{"nack with park leaves a link to it", persistentPark},
		{"what times out comes again, and is parked in the end", persistentTimeout},
		{"parked events are replayed", persistentReplay},
		{"parked events are replayed up to a number", persistentReplayStopAt},
		{"consumers share the events of a group", persistentShare},
		{"groups do not share", persistentGroupsApart},
		{"dispatch to single prefers one consumer", persistentSingle},
		{"pinned keeps a stream with a consumer", persistentPinned},
		{"what a lost consumer had comes to another", persistentLostConsumer},
		{"a checkpoint is written, and the group goes on from it", persistentCheckpoint},
		{"an update drops the consumers and changes the settings", persistentUpdate},
		{"a deleted group drops its consumers and is forgotten", persistentDelete},
		{"refusals are told by code and trailers", persistentRefusals},
		{"settings that make no sense are refused", persistentSettings},
		{"bad input is refused", persistentBadInput},
		{"a group tells about itself", persistentInfo},
		{"groups are listed", persistentList},
	}
}

func persistentFromStart(h *harness) {
	stream, proposed := h.existing(3)
	c := h.consume(stream, esdb.Start{}).join(10)
	got := c.take(3)
	h.wantEvents(got, proposed)
	c.ack(got...)
	fresh := events(2)
	h.append(stream, esdb.Any{}, fresh...)
	h.wantEvents(c.take(2), fresh)
}

func persistentFromEnd(h *harness) {
	stream, _ := h.existing(3)
	group := h.consume(stream, esdb.End{})
	fresh := events(2)
	h.append(stream, esdb.Any{}, fresh...) // before anybody listens
	h.wantEvents(group.join(10).take(2), fresh)
}

func persistentFromRevision(h *harness) {
	stream, proposed := h.existing(5)
	h.wantEvents(h.consume(stream, esdb.Revision(3)).join(10).take(2), proposed[3:])
}

func persistentBeforeStream(h *harness) {
	stream := h.stream()
	c := h.consume(stream, esdb.Start{}).join(10)
	proposed := events(2)
	h.append(stream, esdb.NoStream{}, proposed...)
	h.wantEvents(c.take(2), proposed)
}

func persistentManyEvents(h *harness) {
	const early, late = 700, 700
	stream, proposed := h.existing(early)
	c := h.consume(stream, esdb.Start{}).join(50)
	fresh := events(late)
	h.append(stream, esdb.Any{}, fresh...)
	want := proposedIDs(append(proposed, fresh...))
	var got []string
	for range early + late {
		e := c.next().Event
		got = append(got, e.OriginalEvent().EventID.String())
		c.ack(e)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		h.Fatalf("ids (-want +got):\n%s", diff)
	}
}

func persistentBufferSize(h *harness) {
	stream, _ := h.existing(5)
	group := h.consume(stream, esdb.Start{})
	c := group.join(2)
	got := c.take(2)
	group.until("two in flight", func(i *esdb.PersistentSubscriptionInfo) bool {
		if i.Stats.TotalInFlightMessages > 2 {
			h.Fatalf("%d in flight", i.Stats.TotalInFlightMessages)
		}
		return i.Stats.TotalInFlightMessages == 2 && i.Connections[0].AvailableSlots == 0
	})
	c.ack(got[0])
	c.wantTried(2, 0)
}

func persistentAllFiltered(h *harness) {
	category, from, a, b, _ := threeStreams(h)
	c := h.consumeAll(from, &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{category + "-"}}).join(10)
	got := c.take(len(a) + len(b))
	h.wantEvents(got, append(a, b...))
	c.ack(got...)
	h.existing(40) // for nobody
	fresh := events(2)
	h.append(category+"-c", esdb.NoStream{}, fresh...)
	h.wantEvents(c.take(2), fresh)
}

func persistentAllFromEnd(h *harness) {
	kind := h.category()
	h.append(h.stream(), esdb.NoStream{}, event(kind, `{"n":0}`))
	group := h.consumeAll(esdb.End{}, &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "^" + kind + "$"})
	fresh := event(kind, `{"n":1}`)
	h.append(h.stream(), esdb.NoStream{}, fresh)
	h.wantEvents(group.join(10).take(1), []esdb.EventData{fresh})
}

func persistentLinks(h *harness) {
	target, proposed := h.existing(2)
	links := h.stream()
	made := []esdb.EventData{linkTo(1, target), linkTo(0, target), linkTo(9, target)}
	h.append(links, esdb.NoStream{}, made...)
	group := h.consume(links, esdb.Start{}, resolvingLinks, checkpointEach)
	c := group.join(10)
	got := c.take(3)
	h.wantLink(got[0], proposed[1], made[0])
	h.wantLink(got[1], proposed[0], made[1])
	if got[2].Event != nil || got[2].Link.EventID != made[2].EventID {
		h.Errorf("a link to nowhere: event %v, link %v", got[2].Event, got[2].Link)
	}
	c.ack(got...)
	group.until("all acknowledged", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 0 })
}

func persistentShare(h *harness) {
	stream := h.stream()
	group := h.consume(stream, esdb.Start{})
	a, b := group.join(2), group.join(2)
	h.append(stream, esdb.NoStream{}, events(4)...)
	got := sortedRevisions(append(a.take(2), b.take(2)...))
	if diff := cmp.Diff([]uint64{0, 1, 2, 3}, got); diff != "" {
		h.Fatalf("revisions (-want +got):\n%s", diff)
	}
}

func persistentGroupsApart(h *harness) {
	stream, proposed := h.existing(2)
	for range 2 {
		h.wantEvents(h.consume(stream, esdb.Start{}).join(10).take(2), proposed)
	}
}

func persistentSingle(h *harness) {
	stream := h.stream()
	group := h.consume(stream, esdb.Start{}, strategy(esdb.ConsumerStrategyDispatchToSingle))
	first := group.join(3)
	group.join(3)
	proposed := events(3)
	h.append(stream, esdb.NoStream{}, proposed...)
	h.wantEvents(first.take(3), proposed)
}

func persistentPinned(h *harness) {
	category, from := h.category(), h.mark()
	group := h.consumeAll(from, &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{category + "-"}},
		strategy(esdb.ConsumerStrategyPinned))
	a, b := group.join(100), group.join(100)
	const streams, each = 10, 4
	for range each {
		for s := range streams {
			h.append(fmt.Sprintf("%s-%d", category, s), esdb.Any{}, events(1)...)
		}
	}
	group.until("all are in flight", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.TotalInFlightMessages == streams*each
	})
	info, err := group.tryInfo()
	if err != nil {
		h.Fatal(err)
	}
	whose := map[string]string{}
	for i, c := range []*consumer{a, b} {
		n := int(info.Connections[i].InFlightMessages)
		if n == 0 {
			h.Errorf("consumer %d has nothing of %d streams", i, streams)
		}
		for _, e := range c.take(n) {
			stream, holder := e.OriginalEvent().StreamID, fmt.Sprint("consumer ", i)
			if other := whose[stream]; other != "" && other != holder {
				h.Errorf("%s is with %s and with %s", stream, other, holder)
			}
			whose[stream] = holder
		}
	}
}

func persistentLostConsumer(h *harness) {
	stream, _ := h.existing(3)
	group := h.consume(stream, esdb.Start{})
	lost := group.join(10)
	got := lost.take(3)
	lost.ack(got[1])
	group.until("one is acknowledged", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 2 })
	if err := lost.inner.Close(); err != nil {
		h.Fatal(err)
	}
	if got := lost.inner.Recv(); got.SubscriptionDropped == nil {
		h.Errorf("a closed subscription received %+v", got)
	}
	other := group.join(10)
	other.wantTried(0, 1)
	other.wantTried(2, 1)
}

func persistentCheckpoint(h *harness) {
	stream, _ := h.existing(4)
	group := h.consume(stream, esdb.Start{}, checkpointEach)
	c := group.join(10)
	got := c.take(4)
	c.ack(got[0], got[1], got[3])
	checkpoints := group.follow("-checkpoint")
	for {
		e := checkpoints.next().Event
		if e.EventType != "$SubscriptionCheckpoint" {
			h.Fatalf("a %s", e.EventType)
		}
		if string(e.Data) == `"1"` {
			break
		}
	}
	if err := c.inner.Close(); err != nil {
		h.Fatal(err)
	}
	// An update starts the group anew, from the checkpoint.
	if err := h.client.UpdatePersistentSubscription(h.ctx, stream, group.group,
		esdb.PersistentStreamSubscriptionOptions{Settings: settings([]change{checkpointEach}), StartFrom: esdb.Start{}}); err != nil {
		h.Fatal(err)
	}
	group.join(10).wantTried(2, 0)
}
