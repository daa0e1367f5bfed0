package readapi_test

import (
	"net/http"
	"testing"
	"time"
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
