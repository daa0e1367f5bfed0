package readapi_test

import (
	"strings"
	"testing"

	"portal.example/projections/projectiontest"
)

func sentence(s string) string { return "(" + s + ")" }

func TestTimelines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewed := "/quotes/" + projectiontest.QuoteID + "/timeline?type=QuoteViewed"
	tests := []struct {
		token, path, language, want string
	}{
		{"owner", viewed, "", "(Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 3:42 PM CDT)"},
		{"owner", viewed, "ja-JP,ja;q=0.9,en;q=0.5", "(2026年3月14日15時42分（CDT）、Dana Reyes様がポータルで見積書Q-1042を閲覧しました)"},
		{"owner", viewed, "fr", "(Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 3:42 PM CDT)"},
		{"owner", viewed + "&lang=ja", "en", "(2026年3月14日15時42分（CDT）、Dana Reyes様がポータルで見積書Q-1042を閲覧しました)"},
		{"other", "/timeline?type=CustomerAdded", "", "(2026年3月14日21時00分（JST）、スタッフがSato様を顧客として登録しました)"},
		{
			"owner", "/requests/" + projectiontest.RequestID + "/timeline?type=RequestTriaged", "",
			"(Request R-1: “Call back” by Sam (North) on March 14, 2026 at 7:00 AM CDT)",
		},
		{
			"owner", "/timeline?type=InvoicePaymentReceived&record=" + projectiontest.PaidID, "",
			"(A payment of €120.00 was received for invoice 1, €20.00 of it more than was owed, on March 14, 2026 at 7:00 AM CDT)",
		},
	}
	for _, test := range tests {
		var headers []string
		if test.language != "" {
			headers = []string{"Accept-Language", test.language}
		}
		if got := w.get(test.token, test.path, headers...).each("sentence", sentence); got != test.want {
			t.Errorf("%s in %q\nsays  %s\nwants %s", test.path, test.language, got, test.want)
		}
	}
	types := []struct{ token, path, want string }{
		{"owner", "/quotes/" + projectiontest.QuoteID + "/timeline", "QuoteDrafted QuoteSent QuoteViewed QuoteRevised"},
		{"dana", "/quotes/" + projectiontest.QuoteID + "/timeline", "QuoteSent QuoteViewed"},
		{"owner", "/timeline?actor=" + projectiontest.DanaID, "QuoteViewed RequestTriaged RequestFiled"},
		{"owner", "/timeline?from=2026-03-14T20:42:00Z&to=2026-03-14T20:42:01Z", "QuoteViewed"},
		{"terry", "/timeline", "InvoicePaymentReceived InvoiceIssued"},
		{"nobody", "/timeline", ""},
		{"other", "/timeline", "CustomerAdded BusinessRegistered"},
	}
	for _, test := range types {
		if got := w.get(test.token, test.path).each("type", func(s string) string { return s }); got != test.want {
			t.Errorf("%s at %s reads %q, want %q", test.token, test.path, got, test.want)
		}
	}
	billing := w.get("billie", "/timeline").each("type", func(s string) string { return s })
	if strings.Contains(billing, "Request") || !strings.Contains(billing, "QuoteViewed") || strings.Contains(billing, "Drafted") {
		t.Errorf("a bookkeeper reads %s", billing)
	}
}
