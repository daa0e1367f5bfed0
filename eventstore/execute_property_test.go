package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// However many instances and goroutines bring the same commands again and again
// to one stream, and whatever requests and answers get lost: each command is in
// the stream at most once and in one piece, everybody who got an answer to it
// got the same, and what an answer says of the state is what the stream says.
func TestEachCommandIsAppliedOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := newMemoryLog()
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		trouble := rapid.IntRange(0, 60).Draw(t, "percent of appends in trouble")
		var rolling sync.Mutex
		log.fault = func(string) fault {
			rolling.Lock()
			defer rolling.Unlock()
			if dice.IntN(100) >= trouble {
				return none
			}
			return []fault{lostBefore, lostAfter}[dice.IntN(2)]
		}
		keys := codectest.NewKeyring()
		instances := make([]tills, rapid.IntRange(1, 3).Draw(t, "instances"))
		for i := range instances {
			instances[i] = newTillsWith(t, log, keys, 1)
		}
		orders := rapid.SliceOfN(rapid.Custom(drawOrder), 1, 12).Draw(t, "orders")
		for n := range orders {
			orders[n].id = eventstore.NewID(uuid.Nil, fmt.Sprint(n))
		}
		answers := make([][]tillResult, len(orders))

		var wait sync.WaitGroup
		var answering sync.Mutex
		var failures []error
		var ticks atomic.Int64
		for worker := range rapid.IntRange(1, 6).Draw(t, "workers") {
			turns := rapid.SliceOfN(rapid.IntRange(0, len(orders)-1), 1, 15).Draw(t, "turns")
			wait.Go(func() {
				for _, n := range turns {
					m := envelope()
					m.CommandID = orders[n].id
					m.RecordedAt = m.RecordedAt.Add(time.Duration(ticks.Add(1)))
					got, err := untilCertain(t.Context(), instances[worker%len(instances)], m, orders[n].cmd)
					if errors.Is(err, errEmpty) || err == nil && got.NothingNew() {
						continue // binds nothing; it may succeed next time
					}
					answering.Lock()
					answers[n], failures = append(answers[n], got), append(failures, err)
					answering.Unlock()
				}
			})
		}
		wait.Wait()
		if err := errors.Join(failures...); err != nil {
			t.Fatal(err)
		}
		judge(t, log, keys, orders, answers)
	})
}

type order struct {
	id  uuid.UUID
	cmd tillOrder
}

func drawOrder(t *rapid.T) order {
	cents := rapid.IntRange(1, 50).Draw(t, "cents")
	return order{cmd: rapid.SampledFrom([]tillOrder{Take{cents}, Give{cents}, Balance{cents}}).Draw(t, "command")}
}

// untilCertain repeats a command, as a client would, until it knows.
func untilCertain(ctx context.Context, c tills, m eventstore.Metadata, cmd tillOrder) (got tillResult, err error) {
	for range 1000 { // sooner or later trouble spares an append
		got, err = c.Execute(ctx, till, m, cmd)
		if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrWrongExpected) {
			break
		}
		m.RecordedAt = m.RecordedAt.Add(time.Microsecond)
	}
	return got, err
}

// judge reads the stream by itself and holds the answers against it.
func judge(t *rapid.T, log *memoryLog, keys eventstore.Keyring, orders []order, answers [][]tillResult) {
	t.Helper()
	codec, err := eventstore.NewCodec(keys, eventstore.Events(tillTypes)...)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := codec.DecodeBatch(t.Context(), log.streams[till])
	if err != nil {
		t.Fatal(err)
	}
	stored := map[uuid.UUID]tillResult{}
	var state Till
	for i := 0; i < len(decoded); {
		command := decoded[i].Metadata.CommandID
		if _, twice := stored[command]; twice {
			t.Fatalf("command %s is there twice", command)
		}
		r := tillResult{CommandID: command, Stream: till, First: decoded[i].Record.Revision}
		for ; i < len(decoded) && decoded[i].Metadata.CommandID == command; i++ {
			event := decoded[i].Event.(TillEvent)
			state = state.Evolve(event)
			r.Events, r.EventIDs = append(r.Events, event), append(r.EventIDs, decoded[i].Record.ID)
			r.Last, r.Position = decoded[i].Record.Revision, decoded[i].Record.Position
		}
		r.State = state
		stored[command] = r
	}
	if state.Cents < 0 {
		t.Errorf("%d in the till", state.Cents)
	}
	for n, o := range orders {
		for _, got := range answers[n] {
			if diff := cmp.Diff(stored[o.id], got); diff != "" {
				t.Errorf("order %d %+v was answered otherwise than stored:\n%s", n, o.cmd, diff)
			}
		}
		if want := eventsOf(o.cmd); len(stored[o.id].Events) != want && len(stored[o.id].Events) != 0 {
			t.Errorf("order %d %+v is there in %d events", n, o.cmd, len(stored[o.id].Events))
		}
	}
}

func eventsOf(cmd tillOrder) int {
	if _, takes := cmd.(Take); takes {
		return 2
	}
	return 1
}
