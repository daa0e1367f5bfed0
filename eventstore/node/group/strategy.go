package group

import (
	"cmp"
	"slices"
)

// strategy chooses consumers for messages.
type strategy interface {
	join(c *Consumer)
	leave(c *Consumer)
	// choose names who is to have a message: nobody where the one that it is
	// pinned to takes no more. full says that no message finds anybody.
	choose(m *Message) (c *Consumer, full bool)
	// sent and landed tell that a message is in a consumer's hands, and no more.
	sent(m *Message)
	landed(m *Message)
}

func newStrategy(s Strategy) strategy {
	switch s {
	case DispatchToSingle:
		return &turns{sticky: true}
	case Pinned, PinnedByCorrelation:
		return &pinned{owned: map[*Consumer]int{}}
	case RoundRobin:
	}
	return &turns{}
}

// turns goes round the consumers: one message each or, where it is sticky, as
// many as the first one takes.
type turns struct {
	sticky bool
	queue  []*Consumer
}

func (t *turns) join(c *Consumer) { t.queue = append(t.queue, c) }
func (t *turns) leave(c *Consumer) {
	t.queue = slices.DeleteFunc(t.queue, func(o *Consumer) bool { return o == c })
}
func (t *turns) sent(*Message)   {}
func (t *turns) landed(*Message) {}

func (t *turns) choose(*Message) (*Consumer, bool) {
	for range t.queue {
		c := t.queue[0]
		takes := c.free() > 0
		if !takes || !t.sticky {
			t.queue = append(t.queue[1:], c)
		}
		if takes {
			return c, false
		}
	}
	return nil, true
}

// pinned keeps what belongs together with one consumer: messages fall into
// buckets by their stream or correlation, and each bucket belongs to somebody.
type pinned struct {
	consumers []*Consumer
	owner     [buckets]*Consumer
	inFlight  [buckets]int
	owned     map[*Consumer]int // how many buckets
}

// join gives the newcomer its share of the buckets, those without messages in
// flight first, so that what belongs together seldom parts.
func (p *pinned) join(c *Consumer) {
	p.consumers = append(p.consumers, c)
	assigned := 0
	for _, n := range p.owned {
		assigned += n
	}
	share := (assigned + len(p.consumers) - 1) / len(p.consumers)
	idleFirst := make([]int, buckets)
	for b := range idleFirst {
		idleFirst[b] = b
	}
	slices.SortStableFunc(idleFirst, func(a, b int) int { return cmp.Compare(p.inFlight[a], p.inFlight[b]) })
	for _, b := range idleFirst {
		if old := p.owner[b]; old != nil && old != c && p.owned[old] > share {
			p.assign(b, c)
		}
	}
}

func (p *pinned) assign(bucket int, c *Consumer) {
	if old := p.owner[bucket]; old != nil {
		p.owned[old]--
	}
	p.owner[bucket] = c
	p.owned[c]++
}

func (p *pinned) leave(c *Consumer) {
	p.consumers = slices.DeleteFunc(p.consumers, func(o *Consumer) bool { return o == c })
	for b := range p.owner {
		if p.owner[b] == c {
			p.owner[b] = nil
		}
	}
	delete(p.owned, c)
}

func (p *pinned) choose(m *Message) (*Consumer, bool) {
	if !slices.ContainsFunc(p.consumers, func(c *Consumer) bool { return c.free() > 0 }) {
		return nil, true
	}
	if p.owner[m.bucket] == nil {
		p.assign(int(m.bucket), slices.MinFunc(p.consumers, func(a, b *Consumer) int {
			return cmp.Compare(p.owned[a], p.owned[b])
		}))
	}
	if c := p.owner[m.bucket]; c.free() > 0 {
		return c, false
	}
	return nil, false
}

func (p *pinned) sent(m *Message)   { p.inFlight[m.bucket]++ }
func (p *pinned) landed(m *Message) { p.inFlight[m.bucket]-- }
