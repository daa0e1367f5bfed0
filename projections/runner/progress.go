package runner

import (
	"context"
	"time"
)

// Progress is how far a build is filled.
type Progress struct {
	Events   int64   // applied or held back so far
	Rate     float64 // events a second of late; 0 while nothing is applied
	Fraction float64 // of the log that is dealt with, 0 to 1

	// Remaining is about how long the rest takes at the pace of late; negative
	// where nobody can tell, as for a build that is paused.
	Remaining time.Duration
}

// progressOf works for any log, because it goes by positions alone: they are
// counts nowhere, but grow about evenly.
func progressOf(events int64, position, target uint64, rate, speed float64, over bool) Progress {
	p := Progress{Events: events, Rate: rate, Remaining: -1}
	switch {
	case over:
		p.Fraction, p.Remaining = 1, 0
	case target > 0:
		p.Fraction = min(float64(position)/float64(target), almost)
		if speed > 0 {
			left := max(0, float64(target)-float64(position))
			p.Remaining = time.Duration(min(left/speed, longest.Seconds()) * float64(time.Second))
		}
	}
	return p
}

const (
	almost  = 0.999 // as long as it is not over
	longest = 1000 * time.Hour
)

// window is how far back "of late" reaches.
const window = 10 * time.Second

// pace measures how fast a build is filled. The zero value has measured nothing.
type pace struct{ samples []sample }

type sample struct {
	at       time.Time
	events   int64
	position uint64
}

// sampleEvery keeps a window to some forty samples.
const sampleEvery = tickEvery

func (p *pace) note(now time.Time, at checkpoint) {
	if n := len(p.samples); n > 0 && now.Sub(p.samples[n-1].at) < sampleEvery {
		return
	}
	p.samples = append(p.samples, sample{now, at.events, at.position.Commit})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) >= window {
		p.samples = p.samples[1:]
	}
}

// of returns events and positions a second.
func (p *pace) of() (rate, speed float64) {
	if len(p.samples) < 2 {
		return 0, 0
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	took := last.at.Sub(first.at).Seconds()
	return float64(last.events-first.events) / took, float64(last.position-first.position) / took
}

// told is what the leader lets others know of a build that is being filled.
type told struct {
	target      uint64
	rate, speed float64
	note        string
}

// tell writes it down where it has changed.
func (l *leader) tell(ctx context.Context) error {
	if l.live {
		return nil
	}
	next := told{target: l.aim(ctx), note: l.note}
	if l.feed != nil {
		next.rate, next.speed = l.pace.of()
	}
	l.runner.metrics.filling(l.build, progressOf(l.at.events, l.at.position.Commit, next.target, next.rate, next.speed, l.over()))
	if l.told != nil && *l.told == next {
		return nil
	}
	_, err := l.conn.Exec(ctx, `
		UPDATE runner.builds SET target = $2, rate = $3, speed = $4, note = $5 WHERE id = $1 AND state = 'building'`,
		l.build.id, next.target, next.rate, next.speed, next.note)
	if err == nil {
		l.told = &next
	}
	return err
}

// over tells whether there is nothing left to apply for the moment.
func (l *leader) over() bool { return l.at.caughtUp || l.at.complete }

// aim is where the log ends: as it was when the filling began, and as it is once
// the build has come so far. An absent log leaves it as it is.
func (l *leader) aim(ctx context.Context) uint64 {
	var before uint64
	if l.told != nil {
		before = l.told.target
	}
	if l.told != nil && (before > l.at.position.Commit || l.over()) {
		return before
	}
	ctx, cancel := context.WithTimeout(ctx, freshEvery)
	defer cancel()
	if head, err := l.runner.cfg.Client.Head(ctx); err == nil {
		return max(before, head.Commit)
	}
	return before
}
