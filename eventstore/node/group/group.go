package group

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Group is the state of one persistent subscription. It is for one goroutine.
type Group struct {
	settings Settings
	strategy strategy

	events  ledger // the events that the group has come by
	replays ledger // the parked messages that are being replayed

	retry    list.List // messages to be tried again, before all others
	fresh    list.List // messages that nobody has had
	flying   list.List // messages in consumers' hands, in the order of their sending
	inFlight map[uuid.UUID]*Message
	parking  []*Message // messages that are to be parked
	held     int        // bytes, of all messages that are not done

	checkpoint   Mark // the last one
	checkpointed time.Time

	consumers []*Consumer
	total     int64
	measured  measurement
}

// New returns a group that goes on after the place that its last checkpoint
// names, or begins anew where there is none.
func New(s Settings, checkpoint uint64, known bool) *Group {
	g := &Group{settings: s, strategy: newStrategy(s.Strategy), inFlight: map[uuid.UUID]*Message{}}
	g.events.end = Mark{Place: checkpoint, Known: known}
	g.checkpoint = g.events.end
	return g
}

// Room is how many events should be read for the group now, where it may hold so
// many bytes, about.
func (g *Group) Room(bytes int) int {
	batch := g.settings.readBatch()
	if g.settings.HistoryBuffer-g.retry.Len()-g.fresh.Len() <= batch || g.held > bytes {
		return 0
	}
	return batch
}

// Add takes in the next event and the place at which it stands.
func (g *Group) Add(e Event, place uint64) {
	g.fresh.PushBack(g.message(e, place, &g.events))
}

// Pass goes past an event that is not for this group. It counts towards
// checkpoints all the same.
func (g *Group) Pass(place uint64) { g.events.pass(place) }

// Replay takes a parked message back in, which stands at the place in the
// parked stream.
func (g *Group) Replay(e Event, place uint64) {
	m := g.message(e, place, &g.replays)
	m.replayed = true
	g.retry.PushBack(m)
}

func (g *Group) message(e Event, place uint64, l *ledger) *Message {
	g.held += e.Size()
	return &Message{Event: e, place: place, entry: l.enter(place), bucket: bucketOf(g.settings.Strategy, e)}
}

// Full tells whether no more consumers may join.
func (g *Group) Full() bool {
	return g.settings.MaxConsumers != 0 && len(g.consumers) >= g.settings.MaxConsumers
}

// Join lets a consumer take part.
func (g *Group) Join(c *Consumer) {
	g.consumers = append(g.consumers, c)
	g.strategy.join(c)
}

// Leave takes a consumer out. What it had in hand is tried again, by others.
func (g *Group) Leave(c *Consumer) {
	if !slices.Contains(g.consumers, c) {
		return
	}
	g.consumers = slices.DeleteFunc(g.consumers, func(o *Consumer) bool { return o == c })
	g.strategy.leave(c)
	var lost []*Message
	for e := g.flying.Front(); e != nil; e = e.Next() {
		if m := e.Value.(*Message); m.consumer == c {
			lost = append(lost, m)
		}
	}
	slices.SortFunc(lost, func(a, b *Message) int { return cmp.Compare(a.place, b.place) })
	for _, m := range lost {
		g.land(m)
		g.again(m)
	}
}

// Dispatch gives waiting messages to consumers, as many as those take.
func (g *Group) Dispatch(now time.Time) {
	for _, waiting := range []*list.List{&g.retry, &g.fresh} {
		for e := waiting.Front(); e != nil; {
			m, this := e.Value.(*Message), e
			e = e.Next()
			if g.inFlight[m.id()] != nil {
				continue
			}
			c, full := g.strategy.choose(m)
			if full {
				return
			}
			if c != nil {
				waiting.Remove(this)
				g.send(m, c, now)
			}
		}
	}
}

func (g *Group) send(m *Message, c *Consumer, now time.Time) {
	m.consumer, m.sent, m.flight = c, now, g.flying.PushBack(m)
	g.inFlight[m.id()] = m
	g.strategy.sent(m)
	c.inFlight++
	c.total++
	g.total++
	c.Deliver(Delivery{Event: m.Event, Retries: m.retries})
}

// land takes a message out of its consumer's hands.
func (g *Group) land(m *Message) {
	g.flying.Remove(m.flight)
	delete(g.inFlight, m.id())
	g.strategy.landed(m)
	m.consumer.inFlight--
	m.consumer, m.flight = nil, nil
}

// Ack finishes messages by the ids that a consumer acknowledges. Whose hands
// they are in does not matter: one that was late has done the work too.
func (g *Group) Ack(now time.Time, ids ...uuid.UUID) {
	for _, id := range ids {
		if m := g.answered(id, now); m != nil {
			g.finish(m)
		}
	}
}

// Action is what is to be done with messages that a consumer could not deal with.
type Action uint8

// The actions.
const (
	Retry Action = iota // try again, unless that has been tried often enough
	Park
	Skip
)

// Nack deals with messages by the ids of which a consumer says that it failed.
func (g *Group) Nack(now time.Time, action Action, reason string, ids ...uuid.UUID) {
	for _, id := range ids {
		m := g.answered(id, now)
		switch {
		case m == nil:
		case action == Park:
			g.park(m, "Client explicitly NAK'ed message.\n"+reason)
		case action == Skip:
			g.finish(m)
		default:
			g.failed(m)
		}
	}
}

// answered takes a message in flight out of its consumer's hands, nil where
// there is none of this id.
func (g *Group) answered(id uuid.UUID, now time.Time) *Message {
	m := g.inFlight[id]
	if m == nil {
		return nil
	}
	if g.settings.ExtraStatistics {
		m.consumer.took.add(now.Sub(m.sent))
	}
	g.land(m)
	return m
}

// Expire takes back the messages that consumers have had for too long.
func (g *Group) Expire(now time.Time) {
	for first := g.flying.Front(); first != nil; first = g.flying.Front() {
		m := first.Value.(*Message)
		if now.Sub(m.sent) < g.settings.MessageTimeout {
			return // those after it were sent later
		}
		g.land(m)
		g.failed(m)
	}
}

func (g *Group) failed(m *Message) {
	if m.retries >= g.settings.MaxRetries {
		g.park(m, fmt.Sprintf("Reached retry count of %d", g.settings.MaxRetries))
		return
	}
	g.again(m)
}

// again queues a message for another try: in the order of the log, and what had
// been parked behind everything else.
func (g *Group) again(m *Message) {
	m.retries++
	if m.replayed {
		g.retry.PushBack(m)
		return
	}
	for e := g.retry.Back(); e != nil; e = e.Prev() {
		if other := e.Value.(*Message); !other.replayed && other.place <= m.place {
			g.retry.InsertAfter(m, e)
			return
		}
	}
	g.retry.PushFront(m)
}

func (g *Group) finish(m *Message) {
	g.held -= m.Size()
	if m.replayed {
		g.replays.finish(m.entry)
		return
	}
	g.events.finish(m.entry)
}

func (g *Group) park(m *Message, reason string) {
	m.Reason = reason
	g.parking = append(g.parking, m)
}

// TakeParking returns the messages that are to be parked, each once. They are
// not done before Parked says so, which may take as many attempts as it takes.
func (g *Group) TakeParking() []*Message {
	taken := g.parking
	g.parking = nil
	return taken
}

// Parked finishes messages whose links are on disk.
func (g *Group) Parked(messages []*Message) {
	for _, m := range messages {
		g.finish(m)
	}
}

// Done is the place up to which everything is done.
func (g *Group) Done() Mark { return g.events.done() }

// ReplaysDone is the place in the parked stream up to which all replayed
// messages are done.
func (g *Group) ReplaysDone() Mark { return g.replays.done() }

// CheckpointDue returns where the group should be told to go on from after a
// restart, where it is time to write that down: after many events at once, after
// some events when time is up, which only a tick looks at.
func (g *Group) CheckpointDue(now time.Time, tick bool) (Mark, bool) {
	done := g.Done()
	if !done.Known {
		return done, false
	}
	events := int64(done.Count - g.checkpoint.Count)
	if events == 0 {
		return done, false
	}
	byTime := tick && g.settings.CheckpointAfter > 0 &&
		now.Sub(g.checkpointed) >= g.settings.CheckpointAfter && events >= int64(g.settings.MinCheckpoint)
	return done, byTime || events >= int64(g.settings.MaxCheckpoint)
}

// Unsaved tells whether there is more done than the last checkpoint says.
func (g *Group) Unsaved() (Mark, bool) {
	done := g.Done()
	return done, done.Known && done.Count > g.checkpoint.Count
}

// Checkpointed says that a checkpoint has been written down.
func (g *Group) Checkpointed(m Mark, now time.Time) { g.checkpoint, g.checkpointed = m, now }
