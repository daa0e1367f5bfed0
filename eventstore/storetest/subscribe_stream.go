package storetest

import (
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func subscribeStreamTests() []test {
	return []test{
		{"the confirmation comes first, then history, then caught-up", streamConfirmationFirst},
		{"from the start come history and what is new", streamFromStart},
		{"from the end comes only what is new", streamFromEnd},
		{"from a revision comes what is after it", streamFromRevision},
		{"from the current revision comes only what is new", streamFromCurrent},
		{"from a revision that is not there yet comes what is after it", streamFromFuture},
		{"a stream may begin after its subscription", streamBeginsLater},
		{"what is new comes in order, and once", streamLiveInOrder},
		{"history and what is new meet without gap or repeat", streamMeets},
		{"many subscribers all get all of it", streamManySubscribers},
		{"hidden events are left out of history", streamHidden},
		{"a soft-deleted stream comes to life again", streamRevived},
		{"a tombstoned stream is refused", streamTombstonedBefore},
		{"a tombstone ends a subscription", streamTombstonedWhile},
		{"there are no checkpoints", streamNoCheckpoints},
	}
}

func streamConfirmationFirst(h *harness) {
	stream, _ := h.existing(3)
	call, err := h.wire.Read(authorised(h.ctx, h.config), readStreamRequest(stream, subscribed))
	if err != nil {
		h.Fatal(err)
	}
	for i, is := range []func(*streams.ReadResp) bool{
		func(a *streams.ReadResp) bool { return a.GetConfirmation().GetSubscriptionId() != "" },
		func(a *streams.ReadResp) bool { return a.GetEvent() != nil },
		func(a *streams.ReadResp) bool { return a.GetEvent() != nil },
		func(a *streams.ReadResp) bool { return a.GetEvent() != nil },
		func(a *streams.ReadResp) bool { return a.GetCaughtUp() != nil },
	} {
		answer, err := call.Recv()
		if err != nil {
			h.Fatalf("answer %d: %v", i, err)
		}
		if !is(answer) {
			h.Fatalf("answer %d is %v", i, answer)
		}
	}
}

func streamFromStart(h *harness) {
	stream, old := h.existing(3)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	h.wantEvents(appeared(sub.untilCaughtUp()), old)
	fresh := events(3)
	h.append(stream, esdb.Any{}, fresh...)
	got := sub.take(3)
	h.wantEvents(got, fresh)
	h.wantRevisions(got, 3, 4, 5)
}

func streamFromEnd(h *harness) {
	stream, _ := h.existing(3)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.End{}})
	fresh := events(2)
	h.append(stream, esdb.Any{}, fresh...)
	h.wantEvents(sub.take(2), fresh)
}

func streamFromRevision(h *harness) {
	stream, proposed := h.existing(6)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Revision(2)})
	h.wantEvents(appeared(sub.untilCaughtUp()), proposed[3:])
	h.append(stream, esdb.Any{}, events(1)...)
	h.wantRevisions(sub.take(1), 6)
}

func streamFromCurrent(h *harness) {
	stream, _ := h.existing(3)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Revision(2)})
	if got := sub.untilCaughtUp(); len(got) > 0 {
		h.Fatalf("%d answers before caught-up", len(got))
	}
	h.append(stream, esdb.Any{}, events(1)...)
	h.wantRevisions(sub.take(1), 3)
}

func streamFromFuture(h *harness) {
	stream, _ := h.existing(3)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Revision(5)})
	sub.untilCaughtUp()
	h.append(stream, esdb.Any{}, events(5)...)
	h.wantRevisions(sub.take(2), 6, 7)
}

func streamBeginsLater(h *harness) {
	for _, from := range []esdb.StreamPosition{esdb.Start{}, esdb.End{}} {
		stream := h.stream()
		sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: from})
		sub.untilCaughtUp()
		proposed := events(2)
		h.append(stream, esdb.NoStream{}, proposed...)
		h.wantEvents(sub.take(2), proposed)
	}
}

func streamLiveInOrder(h *harness) {
	stream := h.stream()
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	sub.untilCaughtUp()
	var proposed []esdb.EventData
	for i := range 100 {
		several := events(1 + i%3)
		h.append(stream, esdb.Any{}, several...)
		proposed = append(proposed, several...)
	}
	got := sub.take(len(proposed))
	h.wantEvents(got, proposed)
	for i, e := range got {
		if e.Event.EventNumber != uint64(i) {
			h.Fatalf("revision %d at place %d", e.Event.EventNumber, i)
		}
	}
}

func streamMeets(h *harness) {
	const early, late = 500, 200
	stream, proposed := h.existing(early)
	fresh := events(late)
	var written sync.WaitGroup
	var failure error
	written.Go(func() {
		for i := 0; i < late && failure == nil; i++ {
			_, failure = h.tryAppend(stream, esdb.Any{}, fresh[i])
		}
	})
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	got := sub.take(early + late)
	written.Wait()
	if failure != nil {
		h.Fatal(failure)
	}
	h.wantEvents(got, append(proposed, fresh...))
}

func streamManySubscribers(h *harness) {
	stream, proposed := h.existing(10)
	var subs []*subscription
	for i := range 20 {
		from := esdb.StreamPosition(esdb.Start{})
		if i%2 == 1 {
			from = esdb.Revision(4)
		}
		subs = append(subs, h.subscribe(stream, esdb.SubscribeToStreamOptions{From: from}))
	}
	fresh := events(10)
	h.append(stream, esdb.Any{}, fresh...)
	all := append(proposed, fresh...)
	for i, sub := range subs {
		want := all
		if i%2 == 1 {
			want = all[5:]
		}
		h.wantEvents(sub.take(len(want)), want)
	}
}

func streamHidden(h *harness) {
	stream, proposed := h.existing(10)
	h.setMetadata(stream, `{"$maxCount":2}`)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	h.wantEvents(appeared(sub.untilCaughtUp()), proposed[8:])
}

func streamRevived(h *harness) {
	stream, _ := h.existing(3)
	h.delete(stream, esdb.Any{})
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if got := appeared(sub.untilCaughtUp()); len(got) > 0 {
		h.Fatalf("%d events of a soft-deleted stream", len(got))
	}
	h.append(stream, esdb.NoStream{}, events(2)...)
	h.wantRevisions(sub.take(2), 3, 4)
}

func streamTombstonedBefore(h *harness) {
	stream, _ := h.existing(1)
	h.tombstone(stream, esdb.Any{})
	answers, trailer, err := h.answers(readStreamRequest(stream, subscribed))
	if status.Code(err) != codes.FailedPrecondition || len(answers) > 0 {
		h.Fatalf("%v and %v, want FailedPrecondition alone", answers, err)
	}
	if first(trailer, "exception") != "stream-deleted" || first(trailer, "stream-name") != stream {
		h.Errorf("trailers %v", trailer)
	}
}

// The tombstone itself may be shown before the end.
func streamTombstonedWhile(h *harness) {
	stream, _ := h.existing(1)
	call, err := h.wire.Read(authorised(h.ctx, h.config), readStreamRequest(stream, subscribed))
	if err != nil {
		h.Fatal(err)
	}
	for caughtUp := false; !caughtUp; {
		answer, err := call.Recv()
		if err != nil {
			h.Fatal(err)
		}
		caughtUp = answer.GetCaughtUp() != nil
	}
	h.tombstone(stream, esdb.Any{})
	for err == nil {
		var answer *streams.ReadResp
		if answer, err = call.Recv(); err == nil {
			if e := answer.GetEvent().GetEvent(); e.GetMetadata()["type"] != "$streamDeleted" {
				h.Fatalf("%v after the tombstone", answer)
			}
		}
	}
	if status.Code(err) != codes.FailedPrecondition || first(call.Trailer(), "exception") != "stream-deleted" {
		h.Fatalf("%v with trailers %v, want stream-deleted", err, call.Trailer())
	}
}

func streamNoCheckpoints(h *harness) {
	stream, _ := h.existing(100)
	sub := h.subscribe(stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	for _, got := range sub.untilCaughtUp() {
		if got.CheckPointReached != nil {
			h.Fatalf("a checkpoint at %v", got.CheckPointReached)
		}
	}
}
