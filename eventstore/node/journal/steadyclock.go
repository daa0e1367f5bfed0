package journal

import "time"

// steadyClock tells whether the wall clock can be believed: whether it has gone
// as fast as time itself for an hour. A clock that was set wrong, and is set
// right again, must not make events look old that are not.
type steadyClock struct {
	now     func() time.Time
	elapsed func() time.Duration // monotonic

	seen     bool
	wall     time.Time
	at       time.Duration
	steadily time.Duration
}

const (
	steadyFor  = time.Hour
	clockDrift = time.Minute // between two observations, as a clock is set right little by little
)

func (c *steadyClock) observe() {
	wall, at := c.now(), c.elapsed()
	passed := at - c.at
	drift := (wall.Sub(c.wall) - passed).Abs()
	switch {
	case c.seen && drift <= clockDrift:
		c.steadily += passed
	default:
		c.steadily = 0
	}
	c.seen, c.wall, c.at = true, wall, at
}

func (c *steadyClock) trusted() bool { return c.steadily >= steadyFor }
