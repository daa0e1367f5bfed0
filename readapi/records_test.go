package readapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portal.example/projections/projectiontest"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	toStaff := w.get("owner", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	toDana := w.get("dana", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"staff's version", toStaff.body["title"], "Better pump"},
		{"staff's ETag", toStaff.header.Get("ETag"), `"2"`},
		{"what the customer holds, to staff", toStaff.body["heldOffer"].(map[string]any)["title"], "New pump"},
		{"the customer's version", toDana.body["title"], "New pump"},
		{"the customer's offer", toDana.body["offer"].(map[string]any)["title"], "New pump"},
		{"the customer's ETag", toDana.header.Get("ETag"), `"1"`},
		{"the other offer, to the customer", toDana.body["heldOffer"], nil},
		{"the customer's total", toDana.body["total"], map[string]any{"amount": 40000.0, "currency": "EUR"}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
	paid := w.get("dana", "/invoices/"+projectiontest.PaidID).must(http.StatusOK).body
	if diff := cmp.Diff(map[string]any{"amount": 2000.0, "currency": "EUR"}, paid["credit"]); diff != "" {
		t.Errorf("credit (-want +got):\n%s", diff)
	}
	if len(paid["lines"].([]any)) != 1 || len(paid["payments"].([]any)) != 1 {
		t.Errorf("the invoice has lines %v and payments %v", paid["lines"], paid["payments"])
	}
	toStaff, toDana = w.get("owner", "/requests/"+projectiontest.RequestID), w.get("dana", "/requests/"+projectiontest.RequestID)
	if toStaff.must(http.StatusOK).body["handler"] != "Sam" || len(toStaff.body["steps"].([]any)) != 1 {
		t.Errorf("staff see %v", toStaff.body)
	}
	if toDana.must(http.StatusOK).body["handler"] != nil || toDana.body["steps"] != nil {
		t.Errorf("the customer sees who is at work: %v", toDana.body)
	}
	reyes := w.get("terry", "/customers/"+projectiontest.ReyesID).must(http.StatusOK).body
	if contacts := reyes["contacts"].([]any); len(contacts) != 1 {
		t.Errorf("a tenant sees the contacts %v", contacts)
	}
	if contacts := w.get("dana", "/customers/"+projectiontest.ReyesID).body["contacts"].([]any); len(contacts) != 3 {
		t.Errorf("Dana sees the contacts %v", contacts)
	}
}

func TestLookingIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("dana", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	w.get("dana", "/invoices/"+projectiontest.DueID).must(http.StatusOK)
	w.get("owner", "/invoices/"+projectiontest.DueID).must(http.StatusOK)
	w.get("dana", "/invoices").must(http.StatusOK)
	w.get("dana", "/invoices/"+projectiontest.ParksID).must(http.StatusNotFound)
	want := []string{
		"customer quote " + projectiontest.QuoteID, "customer invoice " + projectiontest.DueID, "staff invoice " + projectiontest.DueID,
	}
	if diff := cmp.Diff(want, w.views.seen); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}

	w.views.err = context.DeadlineExceeded
	refused := w.get("dana", "/invoices/"+projectiontest.DueID).must(http.StatusServiceUnavailable)
	if refused.body["lines"] != nil {
		t.Errorf("shown without a record: %v", refused.body)
	}
	w.views.err = errors.New("whatever else")
	w.get("owner", "/quotes/"+projectiontest.QuoteID).must(http.StatusOK)
	w.get("dana", "/invoices").must(http.StatusOK)
}
