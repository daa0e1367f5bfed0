package storetest

import (
	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// A filtered subscription to $all tells how far it has searched, so that its
// reader need not search again: every multiplier × window events considered,
// and at the end of catching up. A checkpoint is safe to resume from: whatever
// matches and comes later is after it.
func checkpointTests() []test {
	return []test{
		{"catching up ends with a checkpoint", checkpointAtEnd},
		{"events that do not match move the checkpoint while catching up", checkpointsOfHistory},
		{"events that do not match move the checkpoint when live", checkpointsLive},
		{"events that match count as considered", checkpointsOfMatches},
		{"nothing is lost by resuming from a checkpoint", checkpointResume},
		{"without a search window there are checkpoints too", checkpointsWithoutWindow},
		{"a larger multiplier makes them rarer", checkpointsRarer},
	}
}

// searching subscribes to a category's streams with a checkpoint every
// multiplier × window events considered.
func (h *harness) searching(category string, from esdb.AllPosition, window, multiplier int) *subscription {
	h.Helper()
	return h.subscribeAll(esdb.SubscribeToAllOptions{
		From: from, MaxSearchWindow: window, CheckpointInterval: multiplier,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{category + "-"}},
	})
}

// checkpoints picks them out, and checks what holds for every subscription:
// they only rise, and no event after one is at it or before it.
func (h *harness) checkpoints(received []*esdb.SubscriptionEvent) []esdb.Position {
	h.Helper()
	var seen []esdb.Position
	for _, r := range received {
		switch {
		case r.CheckPointReached != nil:
			if len(seen) > 0 && !before(seen[len(seen)-1], *r.CheckPointReached) {
				h.Fatalf("checkpoint %v after %v", *r.CheckPointReached, seen[len(seen)-1])
			}
			seen = append(seen, *r.CheckPointReached)
		case r.EventAppeared != nil && len(seen) > 0:
			if at := r.EventAppeared.OriginalEvent().Position; !before(seen[len(seen)-1], at) {
				h.Fatalf("an event at %v after the checkpoint %v", at, seen[len(seen)-1])
			}
		}
	}
	return seen
}

func checkpointAtEnd(h *harness) {
	category, from := h.category(), h.mark()
	last := h.append(category+"-a", esdb.NoStream{}, events(3)...)
	h.existing(3)
	received := h.searching(category, from, 32, 1).untilCaughtUp()
	if got := len(appeared(received)); got != 3 {
		h.Fatalf("%d events, want 3", got)
	}
	checkpoints := h.checkpoints(received)
	if received[len(received)-1].CheckPointReached == nil {
		h.Fatal("no checkpoint before caught-up")
	}
	if at := checkpoints[len(checkpoints)-1]; before(at, positionOf(last)) {
		h.Fatalf("the checkpoint %v is before the last event at %v", at, positionOf(last))
	}
}

// The tests below append 64 events that do not match, and ask for a checkpoint
// every 8 events considered. A server may look at a page at a time and tell the
// position before the page, so two intervals of slack are given. Events of
// other tests are considered as well, which can only add checkpoints.
const (
	uninteresting = 64
	interval      = 8
	slack         = 2 * interval
)

func checkpointsOfHistory(h *harness) {
	category, from := h.category(), h.mark()
	stream, _ := h.existing(uninteresting)
	received := h.searching(category, from, interval/2, 2).untilCaughtUp()
	checkpoints := h.checkpoints(received)
	if got, want := len(checkpoints), (uninteresting-slack)/interval; got < want {
		h.Fatalf("%d checkpoints over %d events, want at least %d", got, uninteresting, want)
	}
	reached := h.read(stream)[uninteresting-slack].Event.Position
	if at := checkpoints[len(checkpoints)-1]; before(at, reached) {
		h.Fatalf("the last checkpoint %v is before %v", at, reached)
	}
}

func checkpointsLive(h *harness) {
	category := h.category()
	sub := h.searching(category, h.mark(), interval/2, 2)
	received := sub.untilCaughtUp()
	stream, _ := h.existing(uninteresting)
	reached := h.read(stream)[uninteresting-slack].Event.Position
	for {
		got := sub.recv()
		received = append(received, got)
		if got.CheckPointReached != nil && !before(*got.CheckPointReached, reached) {
			break
		}
	}
	h.checkpoints(received)
	fresh := events(1)
	h.append(category+"-a", esdb.NoStream{}, fresh...)
	h.wantEvents(sub.take(1), fresh)
}

func checkpointsOfMatches(h *harness) {
	category, from := h.category(), h.mark()
	h.append(category+"-a", esdb.NoStream{}, events(uninteresting)...)
	received := h.searching(category, from, interval/2, 2).untilCaughtUp()
	if got, want := len(h.checkpoints(received)), (uninteresting-slack)/interval; got < want {
		h.Fatalf("%d checkpoints over %d events, want at least %d", got, uninteresting, want)
	}
}

func checkpointResume(h *harness) {
	category, from := h.category(), h.mark()
	var proposed []esdb.EventData
	for range 10 {
		one := events(1)
		h.append(category+"-a", esdb.Any{}, one...)
		proposed = append(proposed, one...)
		h.existing(interval)
	}
	received := h.searching(category, from, interval/2, 2).untilCaughtUp()
	h.wantEvents(appeared(received), proposed)
	h.checkpoints(received)
	seen := 0
	for _, r := range received {
		if r.EventAppeared != nil {
			seen++
			continue
		}
		resumed := h.searching(category, *r.CheckPointReached, interval/2, 2)
		h.wantEvents(resumed.take(len(proposed)-seen), proposed[seen:])
	}
}

func checkpointsWithoutWindow(h *harness) {
	category, from := h.category(), h.mark()
	h.existing(200)
	received := h.searching(category, from, esdb.NoMaxSearchWindow, 1).untilCaughtUp()
	if got := h.checkpoints(received); len(got) < 2 {
		h.Fatalf("checkpoints %v over 200 events, want several", got)
	}
}

func checkpointsRarer(h *harness) {
	category, from := h.category(), h.mark()
	h.existing(uninteresting)
	often := h.searching(category, from, interval/2, 1)
	seldom := h.searching(category, from, interval/2, 1000)
	many, few := len(h.checkpoints(often.untilCaughtUp())), len(h.checkpoints(seldom.untilCaughtUp()))
	if many <= few || few > 2 {
		h.Fatalf("%d checkpoints with multiplier 1, %d with 1000", many, few)
	}
}
