package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// A lull begins when the last of the requests that are being answered has been.
func TestALullIsWhileNoRequestIsBeingAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic := newTraffic()
		answer := make(chan struct{})
		handler := traffic.watch(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer }))
		ask := func(path string) {
			go handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			synctest.Wait()
		}
		lull := func(ctx context.Context) *bool {
			began := new(bool)
			go func() {
				traffic.Lull(ctx)
				*began = true
			}()
			synctest.Wait()
			return began
		}

		ask("/metrics")
		if !*lull(t.Context()) || traffic.Busy() {
			t.Error("who watches the portal counts as a request")
		}
		answer <- struct{}{}
		for range 2 { // the second time there is old news of an end
			ask("/api/v1/businesses")
			ask("/portal/acme")
			began := lull(t.Context())
			for still := 2; still > 0; still-- {
				if *began {
					t.Fatalf("a lull while %d requests are being answered", still)
				}
				answer <- struct{}{}
				synctest.Wait()
			}
			if !*began {
				t.Fatal("no lull when the last request has been answered")
			}
			ask("/portal/acme")
			answer <- struct{}{}
			synctest.Wait()
		}

		ask("/portal/acme")
		patience, over := context.WithTimeout(t.Context(), time.Second)
		defer over()
		began := lull(patience)
		<-patience.Done()
		synctest.Wait()
		if !*began {
			t.Error("a lull is waited for longer than ctx")
		}
		if !traffic.Busy() {
			t.Error("a request that has just come is no traffic")
		}
		answer <- struct{}{}
	})
}
