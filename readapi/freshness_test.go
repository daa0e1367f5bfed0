package readapi_test

import (
	"net/http"
	"testing"
	"time"

	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
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
	for _, before := range []string{
		`ALTER VIEW read.request_steps RENAME COLUMN team TO something_else`, `DROP VIEW read.request_steps`,
	} {
		if _, err := w.live.Pool.Exec(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		if a := w.get("owner", path).must(http.StatusServiceUnavailable); a.body["code"] != "not_built" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %v, %v", before, a.body, a.header)
		}
	}
	w.get("dana", path).must(http.StatusOK) // sees no steps
}

// Who plans with the figures sees how the read models are doing, and nobody sees
// what is filled for another business.
func TestHowTheReadModelsAreDoing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("owner", "/invoices", "Portal-Position", w.last).must(http.StatusOK)
	if _, err := w.live.Runner.Replay(t.Context(), "invoices", runner.Options{Scope: runner.Scope{Business: projectiontest.OtherID}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.live.Runner.Replay(t.Context(), "quotes", runner.Options{Scope: runner.Scope{Business: projectiontest.BusinessID}}); err != nil {
		t.Fatal(err)
	}
	states := func(token string) string {
		return w.get(token, "/projections").each("state", func(state string) string { return state[:1] })
	}
	if mine, other := states("owner"), states("other"); mine != "l l l l b l l" || other != "l l l b l l l" {
		t.Errorf("one business sees %s, the other %s", mine, other)
	}
	w.get("auditor", "/projections").must(http.StatusForbidden)
	w.get("dana", "/projections").must(http.StatusForbidden)
}
