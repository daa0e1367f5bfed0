package group

import (
	"fmt"
	"slices"
	"testing"

	"portal.example/eventstore/node/journal"
)

func TestRoundRobinTakesTurns(t *testing.T) {
	t.Parallel()
	a, b, c := newHands(10), newHands(1), newHands(10)
	filled(ordinary(), 6, a, b, c)
	wantRevisions(t, "a", a, 0, 3, 5)
	wantRevisions(t, "b, which takes one", b, 1)
	wantRevisions(t, "c", c, 2, 4)
}

func TestDispatchToSingleFillsOneFirst(t *testing.T) {
	t.Parallel()
	s := ordinary()
	s.Strategy = DispatchToSingle
	a, b := newHands(2), newHands(10)
	filled(s, 5, a, b)
	wantRevisions(t, "the first", a, 0, 1)
	wantRevisions(t, "the second", b, 2, 3, 4)
}

func TestPinnedKeepsAStreamWithItsConsumer(t *testing.T) {
	t.Parallel()
	for _, strategy := range []Strategy{Pinned, PinnedByCorrelation} {
		s := ordinary()
		s.Strategy = strategy
		a, b := newHands(40), newHands(40)
		g := filled(s, 0, a, b)
		for n := range uint64(100) {
			e := inStream(fmt.Sprintf("s-%d", n%10), n)
			if strategy == PinnedByCorrelation {
				e = inStream(fmt.Sprintf("other-%d", n), n)
				e.Record.Metadata = fmt.Appendf(nil, `{"$correlationId":"c-%d"}`, n%10)
			}
			g.Add(e, n)
		}
		g.Dispatch(noon)
		for class := range uint64(10) {
			ofClass := func(n uint64) bool { return n%10 == class }
			if slices.ContainsFunc(a.revisions(), ofClass) && slices.ContainsFunc(b.revisions(), ofClass) {
				t.Errorf("%s: both consumers have events of class %d", strategy, class)
			}
		}
		if len(a.got) == 0 || len(b.got) == 0 {
			t.Errorf("%s: %d and %d events", strategy, len(a.got), len(b.got))
		}
	}
}

// A full consumer does not keep others from their events, and what waits for it
// is not done.
func TestPinnedWaitsForItsConsumer(t *testing.T) {
	t.Parallel()
	s := ordinary()
	s.Strategy = Pinned
	a, b := newHands(1), newHands(10)
	g := filled(s, 0, a)
	g.Add(inStream("s", 0), 0)
	g.Dispatch(noon) // the bucket of s is a's
	g.Join(b.Consumer)
	other := "t"
	for bucketOf(Pinned, inStream(other, 0)) == bucketOf(Pinned, inStream("s", 0)) {
		other += "t"
	}
	g.Add(inStream("s", 1), 1)
	g.Add(inStream(other, 0), 2)
	g.Dispatch(noon)
	wantRevisions(t, "the free one", b, 0)
	g.Ack(noon, idOf(other, 0), idOf("s", 0))
	wantDone(t, g, 0, true)
	g.Leave(a.Consumer)
	g.Dispatch(noon)
	wantRevisions(t, "when the other has gone", b, 0, 1)
}

func TestPinnedGivesANewcomerItsShare(t *testing.T) {
	t.Parallel()
	p := newStrategy(Pinned).(*pinned)
	a, b := newHands(1), newHands(1)
	p.join(a.Consumer)
	for i := range 10 {
		p.assign(i, a.Consumer)
	}
	for _, busy := range []int{0, 1, 2, 3, 4} {
		p.inFlight[busy] = 1
	}
	p.join(b.Consumer)
	for i := range 10 {
		want := a.Consumer
		if i >= 5 {
			want = b.Consumer // the idle ones move
		}
		if p.owner[i] != want {
			t.Errorf("bucket %d is not where it should be", i)
		}
	}
}

func TestALinkIsPinnedByItsTarget(t *testing.T) {
	t.Parallel()
	link := &journal.Record{Type: []byte("$>"), Stream: []byte("links"), Data: []byte("3@target@home")}
	for name, e := range map[string]Event{
		"a link":          {Record: link},
		"a resolved one":  {Record: inStream("target@home", 3).Record, Link: link},
		"one to nowhere":  {Link: link},
		"the event alone": inStream("target@home", 3),
	} {
		if got := string(source(e)); got != "target@home" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
