package node

import (
	"context"
	"time"

	"portal.example/eventstore/node/group"
)

// write is what a group writes down in one go.
type write struct {
	parking    []*group.Message
	truncate   uint64      // forget parked messages before this revision; 0: none
	checkpoint *group.Mark // nil: none
	err        error
}

// saveAgainAfter is how long a group waits after a write that failed. The disk
// may be full for hours.
const saveAgainAfter = time.Second

// save writes down what is due, one thing after another and beside the group's
// own work, since a write takes as long as the disk does.
func (g *consumerGroup) save(now time.Time, tick bool) {
	if g.saving || now.Before(g.saveAgain) {
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
	ctx, cancel := context.WithCancel(context.WithoutCancel(g.ctx))
	g.saving, g.giveUp = true, cancel
	go func() {
		defer cancel()
		w.run(ctx, g)
		g.post(func() { g.saved(w) })
	}()
}

func (w *write) run(ctx context.Context, g *consumerGroup) {
	for len(w.parking) > 0 {
		parked := w.parking[:parkedTogether(w.parking)]
		last, err := saveParked(ctx, g.journal, g.key, parked, g.now())
		if err != nil {
			w.err = err
			return
		}
		// From here on the messages are parked, whatever becomes of the rest.
		w.parking = w.parking[len(parked):]
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

// parkedTogether is how many of the messages are parked in one append.
func parkedTogether(messages []*group.Message) int {
	bytes := 0
	for i, m := range messages {
		if bytes += len(m.Reason) + m.Size(); i > 0 && bytes > maxAppendBytes {
			return i
		}
	}
	return len(messages)
}

func (g *consumerGroup) saved(w *write) {
	g.saving = false
	if w.err != nil {
		g.log.Error("a persistent subscription could not be written down", "error", w.err)
		g.parking, g.saveAgain = w.parking, g.now().Add(saveAgainAfter)
		return
	}
	g.parked.truncated = max(g.parked.truncated, w.truncate)
	if w.checkpoint != nil {
		g.group.Checkpointed(*w.checkpoint, g.now())
	}
}
