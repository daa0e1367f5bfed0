package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// traffic is whether people use the portal at the moment.
type traffic struct {
	last atomic.Int64 // when the last request came, in nanoseconds since 1970
}

// idleAfter is how long after a request the portal counts as idle.
const idleAfter = 2 * time.Second

// busy tells whether requests have come lately.
func (t *traffic) busy() bool { return time.Since(time.Unix(0, t.last.Load())) < idleAfter }

// watch takes note of requests, but for those of whoever watches the portal.
func (t *traffic) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasPrefix(r.URL.Path, "/portal/") {
			t.last.Store(time.Now().UnixNano())
		}
		next.ServeHTTP(w, r)
	})
}
