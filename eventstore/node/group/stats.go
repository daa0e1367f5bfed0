package group

import "time"

// Stats is what a group can tell about itself.
type Stats struct {
	Total       int64 // messages sent
	SinceLast   int64 // of them since the last time that somebody asked
	PerSecond   int64
	Waiting     int // messages that nobody has had
	Retrying    int
	InFlight    int
	Outstanding int // in flight or about to be parked
	Checkpoint  Mark
	LastKnown   Mark // the last event that the group has come by
	Consumers   []ConsumerStats
}

// ConsumerStats is what there is to tell about a consumer.
type ConsumerStats struct {
	Consumer  *Consumer
	Total     int64
	SinceLast int64
	PerSecond int64
	InFlight  int
	Free      int
	Measured  []Measurement
}

// measurement is when somebody asked last, and what was true then.
type measurement struct {
	at    time.Time
	total int64
}

// Stats counts, and measures rates since the last time.
func (g *Group) Stats(now time.Time) Stats {
	elapsed := now.Sub(g.measured.at)
	rate := func(n int64) int64 {
		if g.measured.at.IsZero() || elapsed <= 0 {
			return 0
		}
		return int64(float64(n) / elapsed.Seconds())
	}
	s := Stats{
		Total:       g.total,
		SinceLast:   g.total - g.measured.total,
		Waiting:     g.fresh.Len(),
		Retrying:    g.retry.Len(),
		InFlight:    g.flying.Len(),
		Outstanding: g.events.open.Len() + g.replays.open.Len() - g.fresh.Len() - g.retry.Len(),
		Checkpoint:  g.checkpoint,
		LastKnown:   g.events.end,
	}
	s.PerSecond = rate(s.SinceLast)
	for _, c := range g.consumers {
		since := c.total - c.measured
		s.Consumers = append(s.Consumers, ConsumerStats{
			Consumer: c, Total: c.total, SinceLast: since, PerSecond: rate(since),
			InFlight: c.inFlight, Free: max(c.free(), 0), Measured: c.took.measure(),
		})
		c.measured = c.total
	}
	g.measured = measurement{at: now, total: g.total}
	return s
}
