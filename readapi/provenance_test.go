package readapi_test

import (
	"net/http"
	"strings"
	"testing"

	"portal.example/projections/projectiontest"
)

func TestProvenance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	invoices := "/provenance/invoices/invoices/"
	for _, token := range []string{"owner", "auditor"} {
		got := w.get(token, invoices+projectiontest.DueID+"?full=true").must(http.StatusOK)
		last := got.body["last"].(map[string]any)
		if last["type"] != "InvoicePaymentReceived" || last["commandId"] == "" || last["correlationId"] == "" || last["causationId"] == "" ||
			last["actor"].(map[string]any)["id"] != projectiontest.Sam.ID || last["position"] == "" {
			t.Errorf("changed last by %v", last)
		}
		chain := got.body["chain"].(map[string]any)
		var types []string
		for _, e := range chain["events"].([]any) {
			types = append(types, e.(map[string]any)["type"].(string))
		}
		if strings.Join(types, " ") != "InvoiceDrafted InvoiceFrozen InvoiceIssued InvoicePaymentReceived" || chain["complete"] != true {
			t.Errorf("made by %v", chain)
		}
		if got.header.Get("Portal-As-Of") == "" || got.body["row"].(map[string]any)["billed"] != 5000.0 {
			t.Errorf("%v %v", got.header, got.body["row"])
		}
	}
	contact := w.get("owner", "/provenance/customers/contacts/"+projectiontest.ReyesID+","+projectiontest.DanaID+"?full=true").must(http.StatusOK)
	if row := contact.body["row"].(map[string]any); row["name"] != "(hidden)" || row["email"] != "(hidden)" || row["contact_id"] != projectiontest.DanaID {
		t.Errorf("a contact is shown as %v", row)
	}
	if body := w.get("owner", invoices+projectiontest.DueID).must(http.StatusOK).body; body["chain"] != nil || body["last"] == nil {
		t.Errorf("without the chain: %v", body)
	}

	w.get("dana", invoices+projectiontest.DueID).must(http.StatusForbidden)
	w.get("stranger", invoices+projectiontest.DueID).must(http.StatusUnauthorized)
	w.get("other", invoices+projectiontest.DueID).must(http.StatusNotFound)
	w.get("owner", invoices+projectiontest.ID(99)).must(http.StatusNotFound)
	w.get("owner", "/provenance/invoices/nothing/"+projectiontest.DueID).must(http.StatusNotFound)
	w.get("owner", "/provenance/nothing/invoices/x", "Portal-Position", w.last).must(http.StatusNotFound)
	w.get("owner", invoices+"status=issued").must(http.StatusUnprocessableEntity)
	w.get("owner", invoices+"a,b").must(http.StatusUnprocessableEntity)
}

// The way that docs/provenance.md shows: a figure is a sum over rows that a list
// has, and each row leads to its events.
func TestFromAFigureToItsEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	figure := w.get("owner", "/dashboards/money").must(http.StatusOK).body["outstanding"].(map[string]any)["amount"].(float64)
	sum := 0.0
	for _, item := range w.get("owner", "/invoices?status=issued&limit=200").must(http.StatusOK).body["items"].([]any) {
		invoice := item.(map[string]any)
		sum += invoice["outstanding"].(map[string]any)["amount"].(float64)
		chain := w.get("owner", "/provenance/invoices/invoices/"+invoice["id"].(string)+"?full=true").must(http.StatusOK).body["chain"].(map[string]any)
		if chain["complete"] != true || len(chain["events"].([]any)) < 3 {
			t.Errorf("%v is made by %v", invoice["id"], chain)
		}
	}
	if sum != figure || figure == 0 {
		t.Errorf("the rows come to %v, the dashboard says %v", sum, figure)
	}
}
