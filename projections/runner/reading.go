package runner

import "context"

// read has a feed go on from where the build is, if it has to go on, and at the
// pace that is wished for.
func (l *leader) read(ctx context.Context) {
	idle, throttle := l.at.complete || l.wishes.pause, l.wishes.throttle
	if l.live {
		idle, throttle = false, 0
	}
	if l.feed != nil && (idle || l.feed.throttle != throttle) {
		l.stopReading()
		l.at.caughtUp, l.pace = false, pace{}
	}
	if l.feed != nil || idle {
		return
	}
	f := &feed{
		client: l.runner.subscribe, codec: l.runner.cfg.Codec, types: l.build.projection.Types(), sealed: isSealed(l.build.projection),
		scope: l.build.scope, throttle: throttle, courtesy: l.courtesy(),
		limit: l.limit, from: l.at.position, batches: make(chan batch),
	}
	ctx, cancel := context.WithCancel(ctx)
	l.feed, l.halt = f, func() {
		cancel()
		for range f.batches { // until the feed is gone
		}
	}
	go f.run(ctx)
}

// fed is why the feed has ended.
func (l *leader) fed() error {
	err := l.feed.err
	l.stopReading()
	return err
}

func (l *leader) stopReading() {
	if l.feed != nil {
		l.halt()
		l.feed = nil
	}
}
