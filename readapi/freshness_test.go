package readapi_test

import (
	"net/http"
	"testing"
	"time"

	"portal.example/projections/projectiontest"
)

func TestFreshness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fresh := w.get("owner", "/invoices", "Portal-Position", w.last).must(http.StatusOK)
	if _, err := time.Parse(time.RFC3339, fresh.header.Get("Portal-As-Of")); err != nil {
		t.Errorf("Portal-As-Of: %v", err)
	}
	notYet := w.get("owner", "/invoices", "Portal-Position", "zzzzzzzzzz").must(http.StatusServiceUnavailable)
	if notYet.body["code"] != "not_yet" || notYet.header.Get("Retry-After") == "" {
		t.Errorf("not yet: %v, %v", notYet.body, notYet.header)
	}
}

// After an upgrade the version before stays live until the next one is filled:
// what only the next one has is not there yet, which is no failure.
func TestATableOfTheNextVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/requests/" + projectiontest.RequestID
	w.get("owner", path, "Portal-Position", w.last).must(http.StatusOK)
	if _, err := w.live.Pool.Exec(t.Context(), `DROP VIEW read.request_steps`); err != nil {
		t.Fatal(err)
	}
	if a := w.get("owner", path).must(http.StatusServiceUnavailable); a.body["code"] != "not_built" || a.header.Get("Retry-After") == "" {
		t.Errorf("before the table is there: %v, %v", a.body, a.header)
	}
	w.get("dana", path).must(http.StatusOK) // sees no steps
}
