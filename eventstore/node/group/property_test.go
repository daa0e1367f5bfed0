package group

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// world is a group with everything around it that it needs, and that a crash
// leaves: the log, the parked stream, the checkpoint.
type world struct {
	settings Settings
	group    *Group
	hands    []*hands
	now      time.Time
	read     uint64 // of the log, which never ends

	handled    map[uuid.UUID]bool // acknowledged or skipped
	parked     []uuid.UUID        // by place in the parked stream
	truncated  uint64
	replayed   uint64 // parked messages handed back to the group
	checkpoint Mark
}

// whatever happens, no event is lost: what the checkpoint and the parked stream
// would not bring back after a crash has been handled.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{settings: ordinary(), now: noon, handled: map[uuid.UUID]bool{}}
		w.settings.Strategy = rapid.SampledFrom([]Strategy{RoundRobin, DispatchToSingle, Pinned}).Draw(t, "strategy")
		w.settings.ReadBatch, w.settings.HistoryBuffer = 3, 10
		w.settings.MaxCheckpoint = 1 // so that all that is done is written down
		w.start()
		t.Repeat(map[string]func(*rapid.T){
			"":       w.check,
			"read":   w.readSome,
			"join":   w.join,
			"leave":  w.leave,
			"answer": w.answer,
			"expire": func(*rapid.T) { w.now = w.now.Add(time.Minute); w.group.Expire(w.now) },
			"save":   w.save,
			"replay": w.replay,
			"crash":  func(*rapid.T) { w.start() },
		})
	})
}

func (w *world) start() {
	w.group = New(w.settings, w.checkpoint.Place, w.checkpoint.Known)
	w.hands, w.replayed, w.read = nil, w.truncated, 0
	if w.checkpoint.Known {
		w.read = w.checkpoint.Place + 1
	}
}

func (w *world) readSome(t *rapid.T) {
	for range w.group.Room(1 << 20) {
		if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
			w.handled[numbered(w.read).id()] = true // not for the group
			w.group.Pass(w.read)
		} else if e := numbered(w.read); w.handled[e.id()] && rapid.Bool().Draw(t, "again") {
			w.group.Pass(w.read)
		} else {
			w.group.Add(e, w.read)
		}
		w.read++
	}
	w.group.Dispatch(w.now)
}

func (w *world) join(t *rapid.T) {
	h := newHands(rapid.IntRange(1, 4).Draw(t, "size"))
	w.hands = append(w.hands, h)
	w.group.Join(h.Consumer)
	w.group.Dispatch(w.now)
}

// some is one of those who are there.
func (w *world) some(t *rapid.T) (i int, there bool) {
	if len(w.hands) == 0 {
		return 0, false
	}
	return rapid.IntRange(0, len(w.hands)-1).Draw(t, "who"), true
}

func (w *world) leave(t *rapid.T) {
	i, there := w.some(t)
	if !there {
		return
	}
	w.group.Leave(w.hands[i].Consumer)
	w.hands = append(w.hands[:i], w.hands[i+1:]...)
	w.group.Dispatch(w.now)
}

func (w *world) answer(t *rapid.T) {
	i, there := w.some(t)
	if !there || len(w.hands[i].got) == 0 {
		return
	}
	h := w.hands[i]
	d := rapid.SampledFrom(h.got).Draw(t, "delivery")
	id := d.Original().ID
	flying := w.group.inFlight[id] != nil
	switch action := rapid.IntRange(0, 5).Draw(t, "action"); action {
	case 0:
		w.group.Nack(w.now, Retry, "", id)
	case 1, 5:
		w.group.Nack(w.now, Park, "", id)
	default:
		if flying {
			w.handled[d.Record.ID] = true
		}
		if action == 2 {
			w.group.Nack(w.now, Skip, "", id)
		} else {
			w.group.Ack(w.now, id)
		}
	}
	w.group.Dispatch(w.now)
}

// save writes down what is due, and may be cut short at any point.
func (w *world) save(t *rapid.T) {
	done, due := w.group.CheckpointDue(w.now, true)
	replays := w.group.ReplaysDone()
	taken := w.group.TakeParking()
	for _, m := range taken {
		w.parked = append(w.parked, m.Record.ID)
	}
	if rapid.IntRange(0, 9).Draw(t, "cut short") == 0 {
		w.start()
		return
	}
	w.group.Parked(taken)
	if replays.Known {
		w.truncated = max(w.truncated, replays.Place+1)
	}
	if due {
		w.checkpoint = done
		w.checkpoint.Count = 0
		w.group.Checkpointed(done, w.now)
	}
}

func (w *world) replay(*rapid.T) {
	for ; w.replayed < uint64(len(w.parked)) && w.group.Room(1<<20) > 0; w.replayed++ {
		e := numbered(w.replayed)
		e.Record.ID = w.parked[w.replayed]
		e.Link = inStream("parked", w.replayed).Record
		w.group.Replay(e, w.replayed)
	}
	w.group.Dispatch(w.now)
}

func (w *world) check(t *rapid.T) {
	kept := map[uuid.UUID]bool{}
	for _, id := range w.parked[min(w.truncated, uint64(len(w.parked))):] {
		kept[id] = true
	}
	if w.checkpoint.Known {
		for n := range w.checkpoint.Place + 1 {
			if id := numbered(n).id(); !w.handled[id] && !kept[id] {
				t.Fatalf("event %d is behind the checkpoint %d, not handled and not parked", n, w.checkpoint.Place)
			}
		}
	}
	held := 0
	for _, c := range w.hands {
		if c.inFlight > c.Size || c.inFlight < 0 {
			t.Fatalf("%d in flight to a consumer that takes %d", c.inFlight, c.Size)
		}
		held += c.inFlight
	}
	if held != w.group.flying.Len() || held != len(w.group.inFlight) {
		t.Fatalf("%d in hands, %d flying, %d known by id", held, w.group.flying.Len(), len(w.group.inFlight))
	}
	if s := w.group.Stats(w.now); s.Outstanding != held+len(w.group.parking) {
		t.Fatalf("%d outstanding, %d in hands and %d to be parked", s.Outstanding, held, len(w.group.parking))
	}
}
