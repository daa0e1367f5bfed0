package keys

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"portal.example/eventstore"
)

const (
	// maxCached bounds the keys in memory, at about 2 KB each.
	maxCached = 20_000
	// maxAge bounds how long an instance goes on reading what another instance
	// has erased.
	maxAge = 5 * time.Second
)

// cache keeps keys, unwrapped, that were used last.
type cache struct {
	entries *lru.Cache[eventstore.Subject, entry]
	maxAge  time.Duration
	now     func() time.Time

	putting sync.Mutex
}

type entry struct {
	key   eventstore.Key // nil: erased, which stays true however old
	until time.Time
}

func newCache(size int, maxAge time.Duration, now func() time.Time) (*cache, error) {
	entries, err := lru.New[eventstore.Subject, entry](size)
	if err != nil {
		return nil, err
	}
	return &cache{entries: entries, maxAge: maxAge, now: now}, nil
}

// get returns what is known of the subjects, and those of which nothing is.
func (c *cache) get(subjects []eventstore.Subject) (keys map[eventstore.Subject]eventstore.Key, rest []eventstore.Subject) {
	now := c.now()
	keys = make(map[eventstore.Subject]eventstore.Key, len(subjects))
	for _, s := range subjects {
		if e, found := c.entries.Get(s); found && (e.key == nil || now.Before(e.until)) {
			keys[s] = e.key
		} else {
			rest = append(rest, s)
		}
	}
	return keys, rest
}

// put remembers keys as they were at a moment before they were asked for.
func (c *cache) put(keys map[eventstore.Subject]eventstore.Key, asked time.Time) {
	c.putting.Lock()
	defer c.putting.Unlock()
	for s, key := range keys {
		if key != nil {
			// An erasure that was seen meanwhile is not undone.
			if e, found := c.entries.Peek(s); found && e.key == nil {
				continue
			}
		}
		c.entries.Add(s, entry{key: key, until: asked.Add(c.maxAge)})
	}
}
