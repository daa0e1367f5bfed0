package journal

import "sync"

// tail keeps the newest durable records in memory, so that a subscription that
// is up to date costs no look into the database.
type tail struct {
	mu      sync.RWMutex
	records []tailRecord // ascending, without gaps
	bytes   int
}

type tailRecord struct {
	position uint64
	value    []byte
}

const (
	tailRecords = 4096
	tailBytes   = 8 << 20
)

func (t *tail) push(records []tailRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range records {
		t.bytes += len(records[i].value)
	}
	t.records = append(t.records, records...)
	drop := 0
	for len(t.records)-drop > tailRecords || t.bytes > tailBytes {
		t.bytes -= len(t.records[drop].value)
		drop++
	}
	if drop == 0 {
		return
	}
	clear(t.records[:drop]) // let go of the values
	t.records = t.records[drop:]
}

// first is the position from which on the tail has everything.
func (t *tail) first() (position uint64, any bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.records) == 0 {
		return 0, false
	}
	return t.records[0].position, true
}

// from returns the records from the position on, at most limit bytes of them,
// and false where the position has left the tail.
func (t *tail) from(position uint64, limit int) ([]tailRecord, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.records) == 0 || position < t.records[0].position {
		return nil, false
	}
	start := position - t.records[0].position
	if start >= uint64(len(t.records)) {
		return nil, true
	}
	var found []tailRecord
	for _, r := range t.records[start:] {
		if limit -= len(r.value); limit < 0 && len(found) > 0 {
			break
		}
		found = append(found, r)
	}
	return found, true
}
