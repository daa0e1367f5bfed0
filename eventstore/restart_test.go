package eventstore_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"portal.example/eventstore"
)

func TestAppendsOutliveTheLogsAbsence(t *testing.T) {
	t.Parallel()
	const writers, each, outages = 16, 60, 3
	l := startLog(t)
	client := l.connect()
	ctx := patience(t)

	// The writers go on through the outages, each waiting for its last append,
	// so outages begin at given counts of acknowledged events.
	var acknowledged atomic.Int64
	outageDue := make(chan struct{}, outages)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			stream := fmt.Sprintf("writer-%d", w)
			for n := uint64(0); n < each; n++ {
				got, err := client.Append(ctx, stream, expected(n), event(n))
				if err != nil || got.Revision != n {
					t.Errorf("%s, event %d: revision %d, %v", stream, n, got.Revision, err)
					return
				}
				if total := acknowledged.Add(1); total%(writers*each/(outages+1)) == 0 && total < writers*each {
					outageDue <- struct{}{}
				}
			}
		})
	}
	for range outages {
		select {
		case <-outageDue:
			l.restart()
		case <-ctx.Done():
			t.Fatal("the writers are stuck")
		}
	}
	group.Wait()

	for w := range writers {
		stream, next := fmt.Sprintf("writer-%d", w), uint64(0)
		for e, err := range client.ReadStream(ctx, stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Revision != next || binary.BigEndian.Uint64(e.Data) != next {
				t.Fatalf("%s has event %d at %d where %d was due", stream, binary.BigEndian.Uint64(e.Data), e.Revision, next)
			}
			next++
		}
		if next != each {
			t.Errorf("%s has %d events, want %d", stream, next, each)
		}
	}
}

func TestReadsGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	const total = 2_000 // far more than is in flight when the connection breaks
	l := startLog(t)
	client := l.connect()
	fill(t, client, "counter-1", total)
	before := l.cable.connections()

	next := uint64(0)
	for e, err := range client.ReadStream(patience(t), "counter-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Revision != next {
			t.Fatalf("revision %d where %d was due", e.Revision, next)
		}
		if next++; next == 10 || next == total/2 {
			l.restart()
		}
	}
	if next != total {
		t.Errorf("read %d events of the stream, want %d", next, total)
	}
	if l.cable.connections() < before+2 {
		t.Error("the read was not interrupted twice")
	}

	next = 0
	var last eventstore.Position
	for e, err := range client.ReadAll(patience(t), eventstore.Start()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Position.Compare(last) <= 0 {
			t.Fatalf("position %s after %s", e.Position, last)
		}
		last = e.Position
		if e.Stream != "counter-1" {
			continue
		}
		if e.Revision != next {
			t.Fatalf("revision %d where %d was due", e.Revision, next)
		}
		if next++; next == total/2 {
			l.restart()
		}
	}
	if next != total {
		t.Errorf("read %d events of the log, want %d", next, total)
	}
	if head, err := client.Head(patience(t)); err != nil || head != last {
		t.Errorf("the head is %s (%v), want %s", head, err, last)
	}
}

func TestSubscriptionKeepsItsPosition(t *testing.T) {
	t.Parallel()
	const history, live = 1_500, 100
	l := startLog(t)
	client := l.connect()
	fill(t, client, "counter-1", history)
	fill(t, client, "noise-1", history)

	ctx := patience(t)
	subscription := client.Subscribe(ctx, eventstore.SubscribeOptions{
		Filter: eventstore.StreamPrefix("counter-"), CheckpointEvery: 320, Buffer: 100,
	})
	defer subscription.Close()

	var next uint64
	var last eventstore.Position
	var caughtUp, fellBehind int
	follow := func(until func() bool) {
		t.Helper()
		for !until() {
			batch, err := subscription.NextBatch(ctx, 64)
			if err != nil {
				t.Fatalf("after %d events: %v", next, err)
			}
			for _, notice := range batch {
				if notice.Position.Compare(last) < 0 {
					t.Fatalf("position %s after %s", notice.Position, last)
				}
				last = notice.Position
				switch notice.Kind {
				case eventstore.CaughtUp:
					caughtUp++
				case eventstore.FellBehind:
					fellBehind++
				case eventstore.EventAppeared:
					if notice.Event.Revision != next {
						t.Fatalf("revision %d where %d was due", notice.Event.Revision, next)
					}
					next++
				case eventstore.CheckpointReached:
				}
			}
		}
	}

	follow(func() bool { return next >= history/4 })
	l.restart() // in the midst of history
	follow(func() bool { return caughtUp == 1 })
	if next != history {
		t.Fatalf("caught up after %d events, want %d", next, history)
	}
	if head, err := client.Head(ctx); err != nil || last != head {
		t.Errorf("caught up at %s, the head is %s (%v)", last, head, err)
	}
	l.restart() // while live
	follow(func() bool { return fellBehind == 1 && caughtUp == 2 })
	for n := range uint64(live) {
		if _, err := client.Append(ctx, "counter-1", expected(history+n), event(history+n)); err != nil {
			t.Fatal(err)
		}
		if n%50 == 0 {
			l.restart()
		}
	}
	follow(func() bool { return next >= history+live })
}
