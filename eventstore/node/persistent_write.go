package node

import (
	"context"
	"time"

	"portal.example/eventstore/node/group"
)

// write is what a group writes down in one go.
type write struct {
	parking    []*group.Message
	parked     int64       // revision of the last link
	truncate   uint64      // forget parked messages before this revision; 0: none
	checkpoint *group.Mark // nil: none
	err        error
}

// save writes down what is due, one thing after another and beside the group's
// own work, since a write takes as long as the disk does.
func (g *consumerGroup) save(now time.Time, tick bool) {
	if g.saving {
		return
	}
	w := &write{parking: append(g.parking, g.group.TakeParking()...)}
	g.parking = nil
	if done := g.group.ReplaysDone(); done.Known && done.Place+1 > g.parked.truncated {
		w.truncate = done.Place + 1
	}
	if mark, due := g.group.CheckpointDue(now, tick); due {
		w.checkpoint = &mark
	}
	if len(w.parking) == 0 && w.truncate == 0 && w.checkpoint == nil {
		return
	}
	g.saving = true
	ctx := context.WithoutCancel(g.ctx)
	go func() {
		w.run(ctx, g)
		g.post(func() { g.saved(w) })
	}()
}

func (w *write) run(ctx context.Context, g *consumerGroup) {
	if len(w.parking) > 0 {
		if w.parked, w.err = saveParked(ctx, g.journal, g.key, w.parking, g.now()); w.err != nil {
			return
		}
		// From here on the messages are parked, whatever becomes of the rest.
		parked, last := w.parking, w.parked
		w.parking = nil
		g.post(func() {
			g.parked.parked(last, len(parked))
			g.group.Parked(parked)
		})
	}
	if w.truncate > 0 {
		if w.err = truncateParked(ctx, g.journal, g.key, w.truncate); w.err != nil {
			return
		}
	}
	if w.checkpoint != nil {
		w.err = saveCheckpoint(ctx, g.journal, g.key, w.checkpoint.Place)
	}
}

func (g *consumerGroup) saved(w *write) {
	g.saving = false
	if w.err != nil {
		g.log.Error("a persistent subscription could not be written down", "error", w.err)
		g.group.NotParked(w.parking)
		return
	}
	g.parked.truncated = max(g.parked.truncated, w.truncate)
	if w.checkpoint != nil {
		g.group.Checkpointed(*w.checkpoint, g.now())
	}
}
