package readapi_test

import (
	"net/http"
	"testing"

	"portal.example/projections/projectiontest"
)

func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := []struct{ token, path, want string }{
		{"other", "/customers", "12"},
		{"other", "/invoices", ""},
		{"auditor", "/invoices", "53 52 51 50"},
		{"dana", "/quotes", "40"}, // no drafts
		{"dana", "/quotes?q=Better", ""},
		{"dana", "/invoices", "51 50"},
		{"dana", "/requests", "60"},
		{"billie", "/invoices", "51 50"},
		{"billie", "/requests", ""},
		{"terry", "/invoices", "51"}, // of their flat
		{"terry", "/quotes", ""},
		{"terry", "/requests", ""},
		{"nobody", "/invoices", ""},
	}
	for _, test := range tests {
		if got := w.get(test.token, test.path).ids(); got != test.want {
			t.Errorf("%s sees %q at %s, want %q", test.token, got, test.path, test.want)
		}
	}
	missing := []struct{ token, path string }{
		{"other", "/customers/" + projectiontest.ReyesID},
		{"other", "/quotes/" + projectiontest.QuoteID},
		{"other", "/invoices/" + projectiontest.DueID + "/timeline"},
		{"dana", "/customers/" + projectiontest.ParkID},
		{"dana", "/invoices/" + projectiontest.ParksID},
		{"dana", "/invoices/" + projectiontest.ParksID + "/timeline"},
		{"dana", "/customers/" + projectiontest.ParkID + "/timeline"},
		{"dana", "/invoices/" + projectiontest.DraftID},
		{"dana", "/quotes/" + projectiontest.DraftQuoteID},
		{"terry", "/invoices/" + projectiontest.PaidID},
		{"billie", "/requests/" + projectiontest.RequestID},
		{"owner", "/quotes/" + projectiontest.ID(99)},
	}
	for _, test := range missing {
		w.get(test.token, test.path).must(http.StatusNotFound)
	}
	for _, path := range []string{"/customers", "/dashboards/money", "/dashboards/quotes", "/dashboards/requests"} {
		w.get("dana", path).must(http.StatusForbidden)
	}
	w.get("stranger", "/invoices").must(http.StatusUnauthorized)
}
