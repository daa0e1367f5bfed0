package quotes_test

import (
	"testing"
	"time"

	"portal.example/domain/domaintest"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/projections/projectiontest"
	"portal.example/projections/quotes"
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

// offer comes to its price and 22 % of tax; the filter is optional.
func offer(title string, price int64) quote.Offer {
	return quote.Offer{Title: title, Lines: []lines.Line{
		{ID: "pump", Description: "Pump", Quantity: 1000, UnitPrice: euros(price), TaxRate: 220_000},
		{ID: "filter", Description: "Filter", Quantity: 1000, UnitPrice: euros(3000), Optional: true},
	}}
}

// What staff work on is kept apart from what the customer holds.
func TestQuotes(t *testing.T) {
	t.Parallel()
	id, customer, at := domaintest.ID(1), domaintest.ID(2), domaintest.Noon
	drafted := quote.Drafted{
		QuoteID: id, BusinessID: domaintest.ID(3), CustomerID: customer, Reference: "Q-1", Currency: "EUR", Offer: offer("Pump", 10000), At: at,
	}
	sent := quote.Sent{CustomerID: customer, Version: 1, Total: euros(12200), ExpiresAt: at.AddDate(0, 0, 14), At: at}
	revised := quote.Revised{CustomerID: customer, Version: 2, Offer: offer("Better pump", 20000), At: at}
	again := quote.Sent{CustomerID: customer, Version: 2, Total: euros(24400), At: at.Add(time.Hour)}
	asked := quote.QuestionAsked{
		CustomerID: customer, ContactID: domaintest.Dana.ID, QuestionID: domaintest.ID(4), Version: 1, Text: "When?", At: at,
	}
	answered := quote.QuestionAnswered{CustomerID: customer, QuestionID: domaintest.ID(4), Text: "Soon", At: at}
	tests := map[string]struct {
		given []any
		want  map[string]any
	}{
		"a draft": {[]any{drafted}, map[string]any{
			"status": "draft", "version": 1.0, "title": "Pump", "total": 12200.0, "held": 0.0, "held_total": 0.0, "sent_at": nil,
		}},
		"sent": {[]any{drafted, sent}, map[string]any{
			"status": "open", "held": 1.0, "held_title": "Pump", "held_total": 12200.0, "expires_at": "2026-03-28T12:00:00+00:00",
		}},
		"revised": {[]any{drafted, sent, revised}, map[string]any{
			"status": "open", "version": 2.0, "title": "Better pump", "total": 24400.0, "held": 1.0, "held_title": "Pump", "held_total": 12200.0,
		}},
		"sent again": {[]any{drafted, sent, revised, again}, map[string]any{
			"held": 2.0, "held_total": 24400.0, "expires_at": nil, "sent_at": "2026-03-14T12:00:00+00:00",
		}},
		"asked":                   {[]any{drafted, sent, asked}, map[string]any{"open_questions": 1.0}},
		"answered, even if twice": {[]any{drafted, sent, asked, answered, answered}, map[string]any{"open_questions": 0.0}},
		"approved with an option": {
			[]any{drafted, sent, quote.Approved{
				CustomerID: customer, ContactID: domaintest.Dana.ID, Version: 1, Options: []string{"filter"}, Total: euros(15200), At: at,
			}},
			map[string]any{"status": "approved", "approved_total": 15200.0, "held_total": 12200.0, "approved_at": "2026-03-14T12:00:00+00:00"},
		},
		"expired": {
			[]any{drafted, sent, quote.Expired{CustomerID: customer, Version: 1, ExpiresAt: sent.ExpiresAt, At: at.AddDate(0, 0, 15)}},
			map[string]any{"status": "expired", "expires_at": "2026-03-28T12:00:00+00:00"},
		},
		"seen by staff is not seen": {
			[]any{drafted, sent, quote.ViewedByStaff{CustomerID: customer, StaffID: domaintest.Sam.ID, Version: 1, At: at}},
			map[string]any{"viewed_at": nil},
		},
	}
	conn := projectiontest.Connect(t, quotes.Projection{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &projectiontest.History{Business: domaintest.ID(3)}
			h.Add(projectiontest.Sam, quote.Stream(id), test.given...)
			projectiontest.Expect(t, conn, quotes.Projection{}, h, "quotes", "quote_id", id, test.want)
		})
	}
}
