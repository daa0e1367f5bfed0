package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"portal.example/eventstore/node/journal"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func ordinary() Settings {
	return Settings{
		MessageTimeout: time.Minute, MaxRetries: 2, CheckpointAfter: 2 * time.Second,
		MinCheckpoint: 2, MaxCheckpoint: 5, ReadBatch: 20, HistoryBuffer: 500, Strategy: RoundRobin,
	}
}

// hands is a consumer that remembers what it was given.
type hands struct {
	*Consumer
	got     []Delivery
	backlog int
	bytes   int
}

func newHands(size int) *hands {
	h := &hands{}
	h.Consumer = &Consumer{
		Size:    size,
		Deliver: func(d Delivery) { h.got = append(h.got, d) },
		Backlog: func() (int, int) { return h.backlog, h.bytes },
	}
	return h
}

func (h *hands) revisions() []uint64 {
	got := []uint64{}
	for _, d := range h.got {
		got = append(got, d.Original().Revision)
	}
	return got
}

func numbered(n uint64) Event { return inStream("s", n) }

func inStream(stream string, n uint64) Event {
	return Event{Record: &journal.Record{ID: idOf(stream, n), Stream: []byte(stream), Type: []byte("T"), Revision: n, Position: n}}
}

func idOf(stream string, n uint64) uuid.UUID {
	return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%s/%d", stream, n))
}

func ids(revisions ...uint64) []uuid.UUID {
	var found []uuid.UUID
	for _, n := range revisions {
		found = append(found, idOf("s", n))
	}
	return found
}

func filled(s Settings, n uint64, consumers ...*hands) *Group {
	g := New(s, 0, false)
	for _, c := range consumers {
		g.Join(c.Consumer)
	}
	for i := range n {
		g.Add(numbered(i), i)
	}
	g.Dispatch(noon)
	return g
}

func wantRevisions(t *testing.T, what string, h *hands, want ...uint64) {
	t.Helper()
	if diff := cmp.Diff(append([]uint64{}, want...), h.revisions()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func wantDone(t *testing.T, g *Group, place uint64, known bool) {
	t.Helper()
	if got := g.Done(); got.Known != known || known && got.Place != place {
		t.Fatalf("done up to %+v, want %d (%v)", got, place, known)
	}
}

func TestNoMoreInFlightThanAConsumerTakes(t *testing.T) {
	t.Parallel()
	h := newHands(3)
	g := filled(ordinary(), 10, h)
	wantRevisions(t, "at first", h, 0, 1, 2)
	g.Ack(noon, ids(1)...)
	g.Dispatch(noon)
	wantRevisions(t, "after one acknowledgement", h, 0, 1, 2, 3)
	h.backlog = 3
	g.Ack(noon, ids(0, 2, 3)...)
	g.Dispatch(noon)
	wantRevisions(t, "while what it was given has not been sent", h, 0, 1, 2, 3)
	h.backlog, h.bytes = 1, maxBacklogBytes
	g.Dispatch(noon)
	wantRevisions(t, "while what has not been sent is large", h, 0, 1, 2, 3)
	h.bytes = 0
	g.Dispatch(noon)
	wantRevisions(t, "when it has been sent", h, 0, 1, 2, 3, 4, 5, 6)
}

func TestDoneIsUpToTheFirstUnfinished(t *testing.T) {
	t.Parallel()
	h := newHands(10)
	g := filled(ordinary(), 4, h)
	wantDone(t, g, 0, false)
	g.Ack(noon, ids(1, 2)...)
	wantDone(t, g, 0, false)
	g.Ack(noon, ids(0)...)
	wantDone(t, g, 2, true)
	g.Pass(4)
	wantDone(t, g, 2, true)
	g.Nack(noon, Skip, "", ids(3)...)
	wantDone(t, g, 4, true)
}

func TestTimedOutIsTriedAgainThenParked(t *testing.T) {
	t.Parallel()
	h := newHands(1)
	g := filled(ordinary(), 2, h)
	now := noon
	for try := range 3 {
		if last := h.got[len(h.got)-1]; last.Original().Revision != 0 || last.Retries != try {
			t.Fatalf("try %d: event %d with %d retries", try, last.Original().Revision, last.Retries)
		}
		g.Expire(now.Add(time.Minute - 1)) // not yet
		if len(g.TakeParking()) != 0 || g.Stats(now).InFlight != 1 {
			t.Fatal("expired before its time")
		}
		now = now.Add(time.Minute)
		g.Expire(now)
		g.Dispatch(now)
	}
	parking := g.TakeParking()
	if len(parking) != 1 || parking[0].Reason != "Reached retry count of 2" {
		t.Fatalf("parking %+v", parking)
	}
	wantRevisions(t, "then comes the next", h, 0, 0, 0, 1)
	g.Ack(now, ids(1)...)
	wantDone(t, g, 0, false) // its link is not on disk
	g.Parked(parking)
	wantDone(t, g, 1, true)
}

func TestNack(t *testing.T) {
	t.Parallel()
	h := newHands(4)
	g := filled(ordinary(), 4, h)
	g.Nack(noon, Retry, "later", ids(2, 1)...)
	g.Nack(noon, Park, "poison", ids(0)...)
	g.Nack(noon, Skip, "never mind", ids(3)...)
	g.Nack(noon, Retry, "nobody has it", ids(3, 77)...)
	g.Dispatch(noon)
	wantRevisions(t, "again, in the order of the log", h, 0, 1, 2, 3, 1, 2)
	if parking := g.TakeParking(); len(parking) != 1 || parking[0].Reason != "Client explicitly NAK'ed message.\npoison" {
		t.Fatalf("parking %+v", parking)
	}
}

func TestParkingThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHands(1)
	g := filled(ordinary(), 1, h)
	g.Nack(noon, Park, "", ids(0)...)
	taken := g.TakeParking()
	g.Add(numbered(1), 1)
	g.Dispatch(noon.Add(time.Hour))
	g.Ack(noon, ids(1)...)
	wantDone(t, g, 0, false)
	wantRevisions(t, "not the one that cannot be parked", h, 0, 1)
	g.Parked(taken) // at last
	wantDone(t, g, 1, true)
}

func TestWhatALostConsumerHadGoesToOthers(t *testing.T) {
	t.Parallel()
	lost, other := newHands(3), newHands(10)
	g := filled(ordinary(), 3, lost)
	g.Join(other.Consumer)
	g.Leave(lost.Consumer)
	g.Dispatch(noon)
	wantRevisions(t, "the other", other, 0, 1, 2)
	if other.got[0].Retries != 1 {
		t.Errorf("%d retries, want 1", other.got[0].Retries)
	}
	g.Leave(lost.Consumer) // again, which is nothing
}

func TestLateAcknowledgementCounts(t *testing.T) {
	t.Parallel()
	h := newHands(1)
	g := filled(ordinary(), 1, h)
	now := noon.Add(time.Minute)
	g.Expire(now)
	g.Ack(now, ids(0)...) // between two tries it counts for nothing
	wantDone(t, g, 0, false)
	g.Dispatch(now)
	g.Ack(now, ids(0)...)
	wantDone(t, g, 0, true)
}

func TestAnIdIsInFlightOnce(t *testing.T) {
	t.Parallel()
	h := newHands(10)
	g := filled(ordinary(), 0, h)
	twice := numbered(0)
	again := *twice.Record
	again.Revision = 1
	g.Add(twice, 0)
	g.Add(Event{Record: &again}, 1)
	g.Add(numbered(2), 2)
	g.Dispatch(noon)
	wantRevisions(t, "one of the two", h, 0, 2)
	g.Ack(noon, twice.id())
	wantDone(t, g, 0, true)
	g.Dispatch(noon)
	wantRevisions(t, "then the other", h, 0, 2, 1)
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	h := newHands(100)
	g := filled(ordinary(), 20, h)
	due := func(now time.Time, tick bool) bool {
		mark, due := g.CheckpointDue(now, tick)
		if due {
			g.Checkpointed(mark, now)
		}
		return due
	}
	if due(noon, true) {
		t.Error("due with nothing done")
	}
	g.Ack(noon, ids(0)...)
	if due(noon, true) {
		t.Error("due with fewer done than the minimum")
	}
	g.Ack(noon, ids(1)...)
	if due(noon, false) {
		t.Error("due between two ticks with fewer done than the maximum")
	}
	if !due(noon, true) {
		t.Error("not due with the minimum done and time up")
	}
	g.Ack(noon, ids(2, 3)...)
	if due(noon.Add(time.Second), true) {
		t.Error("due before time is up")
	}
	g.Ack(noon, ids(4, 5, 6)...)
	if !due(noon.Add(time.Second), false) {
		t.Error("not due with the maximum done")
	}
	if due(noon.Add(time.Hour), true) {
		t.Error("due with nothing new")
	}
}

func TestAGroupGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	g := New(ordinary(), 41, true)
	wantDone(t, g, 41, true)
	if _, unsaved := g.Unsaved(); unsaved {
		t.Error("what was read from a checkpoint is to be written again")
	}
	g.Pass(42)
	if mark, unsaved := g.Unsaved(); !unsaved || mark.Place != 42 {
		t.Errorf("unsaved: %+v, %v", mark, unsaved)
	}
}

func TestReplayedMessagesStandApart(t *testing.T) {
	t.Parallel()
	h := newHands(10)
	g := filled(ordinary(), 1, h)
	for n := range uint64(3) {
		g.Replay(inStream("parked", n), n)
	}
	g.Dispatch(noon)
	wantRevisions(t, "all", h, 0, 0, 1, 2)
	g.Ack(noon, idOf("parked", 0), idOf("parked", 2))
	wantDone(t, g, 0, false)
	if got := g.ReplaysDone(); got.Place != 0 || !got.Known {
		t.Errorf("replays done up to %+v, want 0", got)
	}
	g.Nack(noon, Park, "still", idOf("parked", 1))
	g.Parked(g.TakeParking())
	if got := g.ReplaysDone(); got.Place != 2 {
		t.Errorf("replays done up to %+v, want 2", got)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	s := ordinary()
	s.ReadBatch, s.HistoryBuffer = 2, 5
	g := New(s, 0, false)
	const plenty = 1 << 20
	for n := uint64(0); g.Room(plenty) > 0; n++ {
		g.Add(numbered(n), n)
	}
	if got := g.Stats(noon).Waiting; got != 3 {
		t.Errorf("%d events wait, want 3: two more fit, and a batch of two must", got)
	}
	large := New(ordinary(), 0, false)
	e := numbered(0)
	e.Record.Data = make([]byte, plenty+1)
	large.Add(e, 0)
	if large.Room(plenty) != 0 {
		t.Error("room beside more bytes than may be held")
	}
	s.HistoryBuffer = 1 << 30
	small, n := New(s, 0, false), uint64(0)
	for ; small.Room(plenty) > 0; n++ {
		small.Add(numbered(n), n)
	}
	if n > plenty/eventOverhead+1 {
		t.Errorf("%d of the smallest events are held in %d bytes", n, plenty)
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	s := ordinary()
	s.MaxConsumers = 1
	g := New(s, 0, false)
	if g.Full() {
		t.Error("full without anybody")
	}
	g.Join(newHands(1).Consumer)
	if !g.Full() {
		t.Error("not full with one of one")
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	if err := ordinary().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Settings){
		"strategy":       func(s *Settings) { s.Strategy = "Whatever" },
		"timeout":        func(s *Settings) { s.MessageTimeout = -1 },
		"batch":          func(s *Settings) { s.ReadBatch = s.HistoryBuffer },
		"default batch":  func(s *Settings) { s.ReadBatch, s.HistoryBuffer = 0, 20 },
		"negative count": func(s *Settings) { s.MaxCheckpoint = -1 },
	} {
		s := ordinary()
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestExtraStatistics(t *testing.T) {
	t.Parallel()
	s := ordinary()
	s.ExtraStatistics = true
	h := newHands(10)
	g := filled(s, 10, h)
	for n := range uint64(10) {
		g.Ack(noon.Add(time.Duration(n+1)*time.Millisecond), ids(n)...)
	}
	measured := map[string]int64{}
	for _, m := range g.Stats(noon).Consumers[0].Measured {
		measured[m.Name] = m.Value
	}
	if measured["Fastest"] != 1 || measured["Highest"] != 10 || measured["Median"] != 5 || measured["Mean"] != 5 {
		t.Errorf("measured %v", measured)
	}
}
