package runner

import (
	"context"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"portal.example/eventstore"
	"portal.example/internal/wait"
)

const (
	// largestBatch is for a build with a history before it; once it has caught
	// up, what has gathered meanwhile is a batch, of at most largestLiveBatch.
	largestBatch     = 20_000
	largestLiveBatch = 5_000

	// firstBatch is small, so that Postgres is at work soon; the next ones are
	// twice as large each.
	firstBatch = 2_500

	// largestBatchBytes bounds a batch of large events.
	largestBatchBytes = 32 << 20

	// gatherLimit is how long to wait for a batch to fill up while behind.
	gatherLimit = 100 * time.Millisecond

	// crowded is how many events of a live batch are a rush, in which the next
	// batch is given rushLimit to fill up: a transaction costs as much as many rows.
	crowded   = 16
	rushLimit = 25 * time.Millisecond
)

// batch is the next piece of the log: the events that the projection wants,
// decoded, and where the log stands after it.
type batch struct {
	events   []eventstore.Decoded
	position eventstore.Position
	last     *landmark // the last event of the piece, wanted or not; nil if there was none
	created  time.Time // of the last event
	caughtUp bool      // with it, history is over
	complete bool      // with it, the scope is over
}

// feed reads and decodes one batch ahead of the one that is being applied.
type feed struct {
	client     func(context.Context, eventstore.SubscribeOptions) Source
	codec      *eventstore.Codec
	types      []string
	limit      int  // of events in a batch
	growing    int  // the limit of the next batch, until it is the former
	everything bool // the source does not filter by type
	sealed     bool // personal fields are left empty
	scope      *Scope
	throttle   int // events a second; 0 for no bound
	courtesy   *courtesy
	from       eventstore.Position

	batches chan batch
	err     error // why batches was closed
}

// run subscribes until ctx ends.
//
// History is read with a filter on the types that the projection wants. After
// that all events are followed, for only then is it known at once that an event
// of another type leaves nothing to be done: a reader may be waiting for its
// position.
func (f *feed) run(ctx context.Context) {
	defer close(f.batches)
	pace := f.pace()
	for f.err == nil {
		f.everything = f.everything || len(f.types) == 0 && len(f.streams()) == 0
		f.err = f.follow(ctx, pace)
		f.everything = true
	}
}

// follow returns nil when history is over and the source should be one without
// filter.
func (f *feed) follow(ctx context.Context, pace *rate.Limiter) error {
	filter := eventstore.UserEvents()
	switch {
	case f.everything:
	case len(f.streams()) > 0:
		filter = eventstore.StreamPrefix(f.streams()...)
	default:
		filter = eventstore.TypePrefix(f.types...)
	}
	buffer := 2 * largestBatch
	if f.courtesy.givesWay() {
		buffer = 2 * firstBatch
	}
	source := f.client(ctx, eventstore.SubscribeOptions{From: f.from, Filter: filter, Buffer: buffer})
	defer source.Close()
	filtered := !f.everything
	for live := false; ; {
		notices, err := f.gather(ctx, source, live)
		if err != nil {
			return err
		}
		if err := await(ctx, pace, count(notices)); err != nil {
			return err
		}
		b, err := f.decodeInTurn(ctx, notices, live)
		if err != nil {
			return err
		}
		live = over(notices, live)
		b.caughtUp = live && !filtered
		b.complete = f.scope.over(b.created, b.caughtUp)
		select {
		case f.batches <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		f.from = b.position
		if live && len(notices) >= crowded && !wait.For(ctx, rushLimit) {
			return ctx.Err()
		}
		if live && filtered {
			return nil
		}
	}
}

// gather waits for the first notice and, while there is history to come, for
// more of them, because large batches cost less.
func (f *feed) gather(ctx context.Context, source Source, live bool) ([]eventstore.Notice, error) {
	limit := min(f.limit, largestLiveBatch)
	if !live {
		limit = min(f.limit, max(f.growing, firstBatch))
		f.growing = 2 * limit
		if f.courtesy.givesWay() {
			limit = min(limit, bite)
		}
	}
	if f.throttle > 0 {
		limit = min(limit, burst(f.throttle))
	}
	notices, err := source.NextBatch(ctx, limit)
	if err != nil || live {
		return notices, err
	}
	patience, calm := context.WithTimeout(ctx, gatherLimit)
	defer calm()
	bytes, more := 0, notices
	for {
		bytes += size(more)
		if len(notices) >= limit || bytes >= largestBatchBytes || over(more, false) {
			return notices, nil
		}
		more, err = source.NextBatch(patience, limit-len(notices))
		if err != nil && patience.Err() != nil && ctx.Err() == nil {
			return notices, nil
		}
		if err != nil {
			return nil, err
		}
		notices = append(notices, more...)
	}
}

func size(notices []eventstore.Notice) (bytes int) {
	for i := range notices {
		bytes += len(notices[i].Event.Data) + len(notices[i].Event.Metadata)
	}
	return bytes
}

// over tells whether history is over after these notices.
func over(notices []eventstore.Notice, before bool) bool {
	for i := range notices {
		switch notices[i].Kind {
		case eventstore.CaughtUp:
			before = true
		case eventstore.FellBehind:
			before = false
		case eventstore.EventAppeared, eventstore.CheckpointReached:
		}
	}
	return before
}

// decodeInTurn gives way to requests while there is a history to come.
func (f *feed) decodeInTurn(ctx context.Context, notices []eventstore.Notice, live bool) (b batch, err error) {
	if live {
		return f.decode(ctx, notices)
	}
	err = f.courtesy.work(ctx, func() error {
		b, err = f.decode(ctx, notices)
		return err
	})
	return b, err
}

func (f *feed) decode(ctx context.Context, notices []eventstore.Notice) (batch, error) {
	b := batch{position: f.from}
	wanted := make([]eventstore.Recorded, 0, len(notices))
	var last *eventstore.Recorded
	for i := range notices {
		n := &notices[i]
		if n.Position.Compare(b.position) > 0 {
			b.position = n.Position
		}
		if n.Kind != eventstore.EventAppeared {
			continue
		}
		last = &n.Event
		if wants(f.types, n.Event.Type) && f.scope.admits(&n.Event) {
			wanted = append(wanted, n.Event)
		}
	}
	if last != nil {
		b.last, b.created = markOf(last), last.Created
	}
	if len(wanted) == 0 {
		return b, nil
	}
	var err error
	b.events, err = decode(ctx, f.codec, wanted, f.sealed)
	return b, err
}

// decode leaves personal fields empty for a projection to which they are nothing.
func decode(ctx context.Context, codec *eventstore.Codec, events []eventstore.Recorded, sealed bool) ([]eventstore.Decoded, error) {
	if sealed {
		return codec.DecodeSealed(events), nil
	}
	return codec.DecodeBatch(ctx, events)
}

func isSealed(p Projection) bool {
	_, sealed := p.(Sealed)
	return sealed
}

// wants is exact, while the log's own filter goes by prefix.
func wants(types []string, eventType string) bool {
	return len(types) == 0 || slices.Contains(types, eventType)
}

// streams are those that the scope is about, empty for all.
func (f *feed) streams() []string {
	if f.scope == nil {
		return nil
	}
	return f.scope.Streams
}

// pace is the token bucket of a throttled feed, nil for one without a bound.
func (f *feed) pace() *rate.Limiter {
	if f.throttle == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(f.throttle), burst(f.throttle))
}

// burst is the largest batch of a throttled feed: a quarter of a second's worth,
// so that it flows and its leader hears of other wishes soon.
func burst(throttle int) int { return max(1, throttle/4) }

func await(ctx context.Context, pace *rate.Limiter, events int) error {
	if pace == nil || events == 0 {
		return nil
	}
	return pace.WaitN(ctx, min(events, pace.Burst()))
}

func count(notices []eventstore.Notice) (events int) {
	for i := range notices {
		if notices[i].Kind == eventstore.EventAppeared {
			events++
		}
	}
	return events
}
