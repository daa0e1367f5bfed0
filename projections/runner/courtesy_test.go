package runner

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

// requests come while busy is set, and each Lull is counted.
type requests struct {
	busy  atomic.Bool
	lulls atomic.Int64
}

func (r *requests) Busy() bool           { return r.busy.Load() }
func (r *requests) Lull(context.Context) { r.lulls.Add(1) }

// While requests are served, builds that are being filled take turns and small
// bites; tables that are live do not wait for them.
func TestFillingGivesWayToRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var working, largest atomic.Int64
	var filling atomic.Bool
	watched := func(name string) *meters {
		return &meters{name: name, before: func(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
			var schema string
			if err := tx.QueryRow(ctx, `SELECT current_schema()`).Scan(&schema); err != nil || !filling.Load() || schema == name+"_v1" {
				return err
			}
			if n := working.Add(1); n > 1 {
				t.Errorf("%d builds are filled at once", n)
			}
			defer working.Add(-1)
			largest.Store(max(largest.Load(), int64(len(batch))))
			return nil
		}}
	}
	r := w.runner(watched("m"), watched("n"))
	var requests requests
	r.courtesy = newCourtesy(&requests)
	w.run(r)
	var last eventstore.Position
	for range 6 {
		reads := make([]any, 500)
		for i := range reads {
			reads[i] = Read{1}
		}
		last = w.append("acme", "meter-1", reads...)
	}
	for _, name := range []string{"m", "n"} {
		w.wait(r, name, last)
	}

	filling.Store(true)
	requests.busy.Store(true)
	m := must(r.Replay(w.ctx, "m", Options{}))(t)
	n := must(r.Replay(w.ctx, "n", Options{}))(t)
	w.look(r, m, "ready", ready)
	w.look(r, n, "ready", ready)
	if got := largest.Load(); got == 0 || got > bite {
		t.Errorf("batches of up to %d events beside requests", got)
	}
	if requests.lulls.Load() == 0 {
		t.Error("bites have not waited for requests to end")
	}
	filling.Store(false)
	w.wait(r, "m", w.append("acme", "meter-1", Read{1}))
}
