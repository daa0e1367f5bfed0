package node

import (
	"context"
	"log/slog"
	"time"

	"portal.example/eventstore/node/group"
	"portal.example/eventstore/node/journal"
)

// consumerGroup runs one group. All that it knows belongs to its goroutine,
// which others reach by ask and post.
type consumerGroup struct {
	key     groupKey
	stored  storedGroup
	journal *journal.Journal
	log     *slog.Logger
	now     func() time.Time
	grace   time.Duration // for the last write when the group ends

	ctx   context.Context //nolint:containedctx // ends when the group is to stop, with the reason as its cause
	stop  context.CancelCauseFunc
	done  chan struct{} // closed when the group has stopped
	inbox chan func()
	woken chan struct{}

	group       *group.Group
	feed        *feed
	parked      *parkedFeed
	memory      *groupMemory
	subscribers map[*subscriber]struct{}
	parking     []*group.Message // which could not be written, and will be
	saving      bool             // a write is under way
	giveUp      func()           // lets go of that write
	saveAgain   time.Time        // not before, where the last write failed
	faulted     error            // why the log could not be read
}

func newConsumerGroup(alive context.Context, j *journal.Journal, memory *groupMemory, log *slog.Logger, stored storedGroup) (*consumerGroup, error) {
	key := stored.key()
	filter, err := stored.Filter.compile()
	if err != nil {
		return nil, err
	}
	place, known, err := loadCheckpoint(alive, j, key)
	if err != nil {
		return nil, err
	}
	parked, err := openParked(j, key)
	if err != nil {
		return nil, err
	}
	g := &consumerGroup{
		key: key, stored: stored, journal: j, now: time.Now, grace: closeGrace,
		log:   log.With("stream", key.stream, "group", key.name),
		done:  make(chan struct{}),
		inbox: make(chan func(), inboxSize), woken: make(chan struct{}, 1),
		group:       group.New(stored.settings(), place, known),
		feed:        &feed{journal: j, stream: key.stream, filter: filter, links: stored.ResolveLinks, next: stored.From},
		parked:      parked,
		memory:      memory,
		subscribers: map[*subscriber]struct{}{},
	}
	if known {
		g.feed.next = place + 1
	}
	g.ctx, g.stop = context.WithCancelCause(alive)
	return g, nil
}

// inboxSize is how many answers of consumers may wait for the group.
const inboxSize = 256

// post has the group's goroutine call a function, false where it has stopped.
func (g *consumerGroup) post(f func()) bool {
	select {
	case g.inbox <- f:
		return true
	case <-g.done:
		return false
	}
}

// ask has the group's goroutine call a function and returns when it has.
func (g *consumerGroup) ask(ctx context.Context, f func()) error {
	called := make(chan struct{})
	if !g.post(func() { f(); close(called) }) {
		return g.whyStopped()
	}
	select {
	case <-called:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-g.done:
		return g.whyStopped()
	}
}

// whyStopped is why the group has ended, the node's end where it has no reason
// of its own.
func (g *consumerGroup) whyStopped() error {
	if why := context.Cause(g.ctx); why != nil && why != context.Canceled { //nolint:errorlint // the bare cause of a plain cancel
		return why
	}
	return errStopping
}

// wake has the group look at the log.
func (g *consumerGroup) wake() {
	select {
	case g.woken <- struct{}{}:
	default: // it will look anyway
	}
}

// run is the group's goroutine. Ticks tell it to look at the clock.
func (g *consumerGroup) run(ticks <-chan time.Time) {
	defer close(g.done)
	g.wake()
	for {
		tick := false
		select {
		case <-g.ctx.Done():
			g.end()
			return
		case f := <-g.inbox:
			f()
			g.answer()
		case <-g.woken:
		case <-ticks:
			tick = true
		}
		g.work(g.now(), tick)
	}
}

// answer calls what else is waiting to be called, so that a burst of
// acknowledgements is worked off in one go.
func (g *consumerGroup) answer() {
	for range inboxSize {
		select {
		case f := <-g.inbox:
			f()
		default:
			return
		}
	}
}

func (g *consumerGroup) work(now time.Time, tick bool) {
	if tick {
		g.group.Expire(now)
	}
	more := false
	if g.faulted == nil {
		var err error
		if more, err = g.read(); err != nil && g.ctx.Err() == nil {
			g.fault(err)
		}
	}
	g.group.Dispatch(now)
	if more {
		g.wake() // after the answers of consumers, which make room
	}
	g.save(now, tick)
}

// read takes in what there is room for and tells whether to look again.
func (g *consumerGroup) read() (more bool, err error) {
	share := g.memory.share()
	room := g.group.Room(share)
	g.feed.bytes, g.parked.bytes = min(share, maxPageBytes), min(share, maxPageBytes)
	switch {
	case room == 0:
		g.feed.rest()
		return false, nil
	case g.parked.replaying():
		return true, g.parked.read(g.ctx, room, g.group)
	default:
		return g.feed.read(g.ctx, room, g.group)
	}
}

// fault stops a group that cannot read the log, which is damaged. Nothing of
// it is skipped; a new start tries again.
func (g *consumerGroup) fault(err error) {
	g.faulted = err
	g.log.Error("a persistent subscription cannot read the log", "error", err)
	for s := range g.subscribers {
		g.drop(s, err)
	}
}

// drop ends a subscription from the group's side.
func (g *consumerGroup) drop(s *subscriber, why error) {
	g.leave(s)
	s.drop(why)
}

func (g *consumerGroup) leave(s *subscriber) {
	delete(g.subscribers, s)
	g.group.Leave(s.consumer)
}

// join lets a subscriber in, or tells why not.
func (g *consumerGroup) join(ctx context.Context, s *subscriber) error {
	var refusal error
	err := g.ask(ctx, func() {
		switch {
		case g.ctx.Err() != nil:
			refusal = g.whyStopped()
		case g.faulted != nil:
			refusal = g.faulted
		case g.group.Full():
			refusal = groupFull(g.key)
		default:
			g.subscribers[s] = struct{}{}
			g.group.Join(s.consumer)
		}
	})
	if err != nil {
		g.post(func() { g.leave(s) }) // it may have been let in after all
		return err
	}
	return refusal
}

// end sends consumers away and writes down where the group has come to, so that
// little is done twice. It is no loss where that does not succeed in time. A
// write that is under way ends first, one way or another: the group's successor
// must not be told where this one has come to, nor its name's next owner.
func (g *consumerGroup) end() {
	why := g.whyStopped()
	for s := range g.subscribers {
		g.drop(s, why)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.ctx), g.grace)
	defer cancel()
	if g.saving {
		defer context.AfterFunc(ctx, g.giveUp)()
	}
	for g.saving {
		(<-g.inbox)()
	}
	mark, unsaved := g.group.Unsaved()
	if !unsaved {
		return
	}
	if err := saveCheckpoint(ctx, g.journal, g.key, mark.Place); err != nil {
		g.log.Warn("a persistent subscription ends without its last checkpoint", "error", err)
	}
}
