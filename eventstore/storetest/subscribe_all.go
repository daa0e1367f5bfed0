package storetest

import (
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

func subscribeAllTests() []test {
	return []test{
		{"the confirmation comes first, and caught-up after history", allConfirmationFirst},
		{"from the start comes the first event of the log", allFromStart},
		{"from the end comes only what is new", allFromEnd},
		{"from a position comes what is after it", allFromPosition},
		{"history and what is new meet without gap or repeat", allMeets},
		{"system events are shown", allSystemEvents},
		{"a filter lets through what matches, before and after going live", allFiltered},
		{"a filter by type", allFilteredByType},
		{"a filter against system events", allFilteredSystem},
		{"there are no checkpoints without a filter", allNoCheckpoints},
		{"a subscription closed leaves the others be", allCloseOne},
	}
}

func allConfirmationFirst(h *harness) {
	from := h.mark()
	h.existing(3)
	for _, options := range [][]readOption{
		{fromPosition(from), subscribed},
		{fromPosition(from), subscribed, onStream(prefixes("storetest"))},
		{fromEnd, subscribed},
	} {
		call, err := h.wire.Read(authorised(h.ctx, h.config), readAllRequest(options...))
		if err != nil {
			h.Fatal(err)
		}
		answer, err := call.Recv()
		if err != nil {
			h.Fatal(err)
		}
		if answer.GetConfirmation().GetSubscriptionId() == "" {
			h.Fatalf("first comes %v, want the confirmation", answer)
		}
		for answer.GetCaughtUp() == nil {
			if answer, err = call.Recv(); err != nil {
				h.Fatal(err)
			}
			if _, again := answer.GetContent().(*streams.ReadResp_Confirmation); again {
				h.Fatal("a second confirmation")
			}
		}
	}
}

func allFromStart(h *harness) {
	h.mark() // so that there is something
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: esdb.Start{}})
	want := h.readAll(esdb.ReadAllOptions{From: esdb.Start{}}, 1)[0].OriginalEvent()
	if got := sub.next().OriginalEvent(); got.EventID != want.EventID || got.Position != want.Position {
		h.Fatalf("first comes %s at %v, want %s at %v", got.EventID, got.Position, want.EventID, want.Position)
	}
}

func allFromEnd(h *harness) {
	old := h.mark()
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: esdb.End{}})
	stream, proposed := h.existing(3)
	for {
		e := sub.next()
		if !before(old, e.OriginalEvent().Position) {
			h.Fatalf("an event at %v, and %v was the end", e.OriginalEvent().Position, old)
		}
		if e.OriginalEvent().StreamID == stream {
			h.wantEvents(append([]*esdb.ResolvedEvent{e}, sub.takeOf(stream, 2)...), proposed)
			return
		}
	}
}

func allFromPosition(h *harness) {
	stream, proposed := h.existing(5)
	at := h.read(stream)[1].Event.Position
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: at})
	h.wantEvents(sub.take(3), proposed[2:]) // the events of one append follow each other
}

func allMeets(h *harness) {
	const early, late = 300, 200
	from := h.mark()
	stream, proposed := h.existing(early)
	fresh := events(late)
	var written sync.WaitGroup
	var failure error
	written.Go(func() {
		for i := 0; i < late && failure == nil; i++ {
			_, failure = h.tryAppend(stream, esdb.Any{}, fresh[i])
		}
	})
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: from})
	var own []*esdb.ResolvedEvent
	last := from
	for len(own) < early+late {
		e := sub.next()
		at := e.OriginalEvent().Position
		if !before(last, at) {
			h.Fatalf("%v after %v", at, last)
		}
		last = at
		if e.OriginalEvent().StreamID == stream {
			own = append(own, e)
		}
	}
	written.Wait()
	if failure != nil {
		h.Fatal(failure)
	}
	h.wantEvents(own, append(proposed, fresh...))
}

func allSystemEvents(h *harness) {
	from := h.mark()
	stream, _ := h.existing(1)
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: from})
	h.setMetadata(stream, `{"$maxCount":9}`)
	got := sub.takeOf("$$"+stream, 1)
	if got[0].Event.EventType != "$metadata" {
		h.Fatalf("a %s", got[0].Event.EventType)
	}
	h.tombstone(stream, esdb.Any{})
	if got := sub.takeOf(stream, 1); got[0].Event.EventType != "$streamDeleted" {
		h.Fatalf("a %s", got[0].Event.EventType)
	}
}

func allFiltered(h *harness) {
	category, from, a, b, _ := threeStreams(h)
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: from, Filter: &esdb.SubscriptionFilter{
		Type: esdb.StreamFilterType, Prefixes: []string{category + "-"},
	}})
	h.wantEvents(appeared(sub.untilCaughtUp()), append(a, b...))
	h.existing(3)
	fresh := events(2)
	h.append(category+"-c", esdb.NoStream{}, fresh...)
	h.wantEvents(sub.take(2), fresh)
}

func allFilteredByType(h *harness) {
	category, from, a, b, other := threeStreams(h)
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: from, Filter: &esdb.SubscriptionFilter{
		Type: esdb.EventFilterType, Regex: "^" + category + "Closed$",
	}})
	h.wantEvents(appeared(sub.untilCaughtUp()), []esdb.EventData{a[1], b[1], other[1]})
	fresh := []esdb.EventData{event(category+"Opened", `{}`), event(category+"Closed", `{}`)}
	h.append(h.stream(), esdb.NoStream{}, fresh...)
	h.wantEvents(sub.take(1), fresh[1:])
}

func allFilteredSystem(h *harness) {
	from := h.mark()
	stream, _ := h.existing(1)
	h.setMetadata(stream, `{"$maxCount":9}`)
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: from, Filter: esdb.ExcludeSystemEventsFilter()})
	h.append(stream, esdb.Any{}, events(1)...)
	for own := 0; own < 2; {
		e := sub.next().OriginalEvent()
		if e.EventType[0] == '$' {
			h.Fatalf("a %s came through", e.EventType)
		}
		if e.StreamID == stream {
			own++
		}
	}
}

func allNoCheckpoints(h *harness) {
	from := h.mark()
	h.existing(200)
	sub := h.subscribeAll(esdb.SubscribeToAllOptions{From: from})
	for _, got := range sub.untilCaughtUp() {
		if got.CheckPointReached != nil {
			h.Fatalf("a checkpoint at %v", got.CheckPointReached)
		}
	}
}

func allCloseOne(h *harness) {
	options := esdb.SubscribeToAllOptions{From: h.mark()}
	closed, open := h.subscribeAll(options), h.subscribeAll(options)
	stream, proposed := h.existing(2)
	closed.takeOf(stream, 1)
	if err := closed.inner.Close(); err != nil {
		h.Fatal(err)
	}
	fresh := events(2)
	h.append(stream, esdb.Any{}, fresh...)
	h.wantEvents(open.takeOf(stream, 4), append(proposed, fresh...))
	if got := closed.inner.Recv(); got.SubscriptionDropped == nil {
		h.Errorf("a closed subscription received %+v", got)
	}
}
