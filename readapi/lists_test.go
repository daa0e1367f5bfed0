package readapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"portal.example/projections/projectiontest"
)

func TestLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := map[string]string{
		"/customers":                                  "11 10",
		"/customers?q=reyes":                          "10",
		"/customers?q=100%25":                         "11", // a percent sign is one
		"/customers?reference=C-10":                   "10",
		"/customers?q=%00":                            "",
		"/quotes":                                     "41 40",
		"/quotes?status=draft":                        "41",
		"/quotes?q=1042":                              "40",
		"/quotes?asked=true":                          "",
		"/invoices":                                   "53 52 51 50",
		"/invoices?status=issued":                     "53 51 50",
		"/invoices?paid=full":                         "50",
		"/invoices?paid=part":                         "51",
		"/invoices?paid=none":                         "53",
		"/invoices?overdue=true":                      "51",
		"/invoices?disputed=true":                     "",
		"/invoices?q=a53":                             "53",
		"/invoices?customer=" + projectiontest.ParkID: "53",
		"/requests":                                   "60",
		"/requests?waiting=true":                      "60",
		"/requests?kind=lead":                         "",
		"/requests?channel=portal":                    "60",
	}
	for path, want := range tests {
		if got := w.get("owner", path).ids(); got != want {
			t.Errorf("%s lists %q, want %q", path, got, want)
		}
	}
}

func TestListsInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, list := range []string{"/invoices", "/timeline", "/timeline?order=asc", "/customers"} {
		whole := w.get("owner", list).ids()
		separator := "?"
		if strings.Contains(list, "?") {
			separator = "&"
		}
		var all []string
		cursor := ""
		for range 100 {
			page := w.get("owner", list+separator+"limit=1&cursor="+url.QueryEscape(cursor))
			if ids := page.ids(); ids != "" {
				all = append(all, ids)
			}
			next, more := page.body["next"].(string)
			if !more {
				break
			}
			cursor = next
		}
		if got := strings.Join(all, " "); got != whole {
			t.Errorf("%s in pages is %q, want %q", list, got, whole)
		}
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cursor := w.get("owner", "/invoices?limit=1").body["next"].(string)
	for _, path := range []string{
		"/invoices?limit=0", "/invoices?limit=201", "/invoices?cursor=nonsense", "/invoices?cursor=e30", "/customers?cursor=" + cursor,
		"/invoices?status=lost", "/invoices/x'y", "/timeline?from=yesterday", "/timeline?lang=tlh", "/dashboards/money?currency=euro",
	} {
		if got := w.get("owner", path); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s answers %d: %v", path, got.status, got.body)
		}
	}
	w.get("owner", "/invoices", "Portal-Position", "a b").must(http.StatusUnprocessableEntity)
}
