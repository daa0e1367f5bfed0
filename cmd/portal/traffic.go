package main

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// traffic is whether people use the portal at the moment. It serves one waiter at a
// time.
type traffic struct {
	last  atomic.Int64  // when the last request came, in nanoseconds since 1970
	open  atomic.Int64  // how many are being answered
	ended chan struct{} // has a place for the news that none is
}

func newTraffic() *traffic { return &traffic{ended: make(chan struct{}, 1)} }

// idleAfter is how long after a request the portal counts as idle.
const idleAfter = 2 * time.Second

// Busy tells whether requests have come lately.
func (t *traffic) Busy() bool { return time.Since(time.Unix(0, t.last.Load())) < idleAfter }

// Lull returns once no request is being answered, or ctx ends.
func (t *traffic) Lull(ctx context.Context) {
	for t.open.Load() > 0 {
		select {
		case <-t.ended:
		case <-ctx.Done():
			return
		}
	}
}

// watch takes note of requests, but for those of whoever watches the portal.
func (t *traffic) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasPrefix(r.URL.Path, "/portal/") {
			t.begin()
			defer t.end()
		}
		next.ServeHTTP(w, r)
	})
}

func (t *traffic) begin() {
	t.last.Store(time.Now().UnixNano())
	t.open.Add(1)
}

func (t *traffic) end() {
	if t.open.Add(-1) > 0 {
		return
	}
	select {
	case t.ended <- struct{}{}:
	default: // nobody has taken note of the one before
	}
}
