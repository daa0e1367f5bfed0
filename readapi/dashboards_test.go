package readapi_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDashboards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	money := func(amount float64) map[string]any { return map[string]any{"amount": amount, "currency": "EUR"} }
	age := func(days, invoices, amount float64) any {
		return map[string]any{"overdue_from_days": days, "invoices": invoices, "outstanding": money(amount)}
	}
	tests := map[string]map[string]any{
		"/dashboards/money": {
			"invoices": 3.0, "paid_in_full": 1.0, "part_paid": 1.0,
			"billed": money(15300), "paid": money(13000), "credit": money(2000), "outstanding": money(4300),
			"by_age": []any{age(-1, 1, 300), age(1, 0, 0), age(31, 1, 4000), age(61, 0, 0), age(91, 0, 0)},
		},
		"/dashboards/money?currency=JPY": {"invoices": 0.0, "outstanding": map[string]any{"amount": 0.0, "currency": "JPY"}},
		"/dashboards/quotes": {
			"drafted": 2.0, "sent": 1.0, "viewed": 1.0, "approved": 0.0, "draft": 1.0, "open": 1.0, "expired": 0.0,
			"open_total": money(40000),
		},
		"/dashboards/quotes?from=2026-03-14T12:30:00Z": {"drafted": 1.0, "sent": 0.0},
		"/dashboards/requests": {
			"waiting": 1.0, "oldest_since": "2026-03-14T12:00:00Z", "accepted": 0.0, "overdue": 0.0,
			"by_wait": []any{
				map[string]any{"from_days": 0.0, "requests": 1.0},
				map[string]any{"from_days": 1.0, "requests": 0.0},
				map[string]any{"from_days": 3.0, "requests": 0.0},
				map[string]any{"from_days": 7.0, "requests": 0.0},
				map[string]any{"from_days": 30.0, "requests": 0.0},
			},
		},
	}
	for path, want := range tests {
		body := w.get("auditor", path).must(http.StatusOK).body
		got := make(map[string]any)
		for field := range want {
			got[field] = body[field]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}
