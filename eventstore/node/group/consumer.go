package group

import (
	"slices"
	"time"
)

// Delivery is a message as a consumer gets it.
type Delivery struct {
	Event
	Retries int // how often it has been tried before
}

// Consumer is one subscriber of a group.
type Consumer struct {
	Size    int            // how many messages it takes at a time
	Deliver func(Delivery) // hands a message over and does not wait
	// Backlog is what of all that was handed over has not been sent.
	Backlog func() (messages, bytes int)

	inFlight int
	total    int64
	measured int64 // total at the last measurement
	took     latencies
}

// maxBacklogBytes bounds what waits to be sent to a consumer, whatever it says
// that it takes.
const maxBacklogBytes = 1 << 20

// free is how many messages the consumer takes now. Messages that timed out
// leave its hands, and may still lie in a backlog that moves slowly or not at
// all.
func (c *Consumer) free() int {
	unsent, bytes := c.Backlog()
	if bytes >= maxBacklogBytes {
		return 0
	}
	return c.Size - max(c.inFlight, unsent)
}

// latencies are the last times that a consumer took for a message.
type latencies struct {
	times []time.Duration
	next  int
}

const latenciesKept = 1000

func (l *latencies) add(d time.Duration) {
	if len(l.times) < latenciesKept {
		l.times = append(l.times, d)
		return
	}
	l.times[l.next] = d
	l.next = (l.next + 1) % latenciesKept
}

// Measurement is one figure about a consumer, in milliseconds.
type Measurement struct {
	Name  string
	Value int64
}

// quantiles are EventStoreDB's, by its names.
var quantiles = []struct {
	name  string
	share float64
}{
	{"Fastest", 0},
	{"Quintile 1", 0.2},
	{"Quintile 2", 0.4},
	{"Quintile 3", 0.6},
	{"Quintile 4", 0.8},
	{"Quintile 5", 1},
	{"90%", 0.9},
	{"95%", 0.95},
	{"99%", 0.99},
	{"99.5%", 0.995},
	{"99.9%", 0.999},
	{"Highest", 1},
}

func (l *latencies) measure() []Measurement {
	if len(l.times) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(l.times))
	at := func(share float64) int64 { return sorted[int(share*float64(len(sorted)-1))].Milliseconds() }
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	found := []Measurement{
		{"Mean", (sum / time.Duration(len(sorted))).Milliseconds()},
		{"Median", at(0.5)},
	}
	for _, q := range quantiles {
		found = append(found, Measurement{q.name, at(q.share)})
	}
	return found
}
