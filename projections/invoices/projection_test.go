package invoices_test

import (
	"testing"
	"time"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

func TestInvoices(t *testing.T) {
	t.Parallel()
	at, customer := domaintest.Noon, domaintest.ID(2)
	issued := []any{
		invoice.Drafted{
			InvoiceID: domaintest.ID(1), BusinessID: domaintest.ID(3), CustomerID: customer, Reference: "A100", Currency: "EUR",
			Lines: []lines.Line{{ID: "fine", Description: "Fine", Quantity: 1000, UnitPrice: euros(3500)}}, At: at,
		},
		invoice.Frozen{
			CustomerID: customer, IssuedOn: domain.Date{Year: 2026, Month: time.March, Day: 14},
			DueOn: domain.Date{Year: 2026, Month: time.April, Day: 13}, Total: euros(3500), At: at,
		},
		invoice.Issued{CustomerID: customer, Number: 17, Total: euros(3500), At: at},
	}
	paid := func(n int, allocated, surplus int64) any {
		return invoice.PaymentReceived{
			CustomerID: customer, PaymentID: domaintest.ID(n), Received: euros(allocated + surplus),
			Allocated: euros(allocated), Surplus: euros(surplus), At: at,
		}
	}
	tests := map[string]struct {
		given []any
		want  map[string]any
	}{
		"a draft owes nothing": {issued[:1], map[string]any{
			"status": "draft", "number": 0.0, "billed": 0.0, "outstanding": 0.0, "due_on": nil, "version": 1.0,
		}},
		"frozen": {issued[:2], map[string]any{
			"status": "frozen", "number": 0.0, "total": 3500.0, "billed": 0.0, "due_on": "2026-04-13", "version": 2.0,
		}},
		"issued": {issued, map[string]any{
			"status": "issued", "number": 17.0, "billed": 3500.0, "outstanding": 3500.0,
			"issued_on": "2026-03-14", "due_on": "2026-04-13", "version": 3.0, "reference": "A100",
		}},
		"charged, and paid in part": {
			append(issued[:3:3],
				invoice.ExpenseAdded{CustomerID: customer, ChargeID: domaintest.ID(8), Description: "Post", Amount: euros(1100), At: at},
				invoice.LateFeeAdded{CustomerID: customer, ChargeID: domaintest.ID(9), Description: "Late", Amount: euros(3650), At: at},
				paid(10, 5000, 0)),
			map[string]any{"billed": 8250.0, "paid": 5000.0, "credit": 0.0, "outstanding": 3250.0, "version": 6.0},
		},
		"paid above the balance": {append(issued[:3:3], paid(10, 3000, 0), paid(11, 500, 250)), map[string]any{
			"billed": 3500.0, "paid": 3750.0, "credit": 250.0, "outstanding": 0.0,
		}},
		"credited after it was paid": {
			append(issued[:3:3], paid(10, 3500, 0), invoice.CreditNoteIssued{
				CustomerID: customer, CreditNoteID: domaintest.ID(12), Amount: euros(500), Surplus: euros(500), Reason: "Sorry", At: at,
			}),
			map[string]any{"billed": 3000.0, "paid": 3500.0, "credit": 500.0, "outstanding": 0.0},
		},
		"void": {append(issued[:3:3], invoice.Voided{CustomerID: customer, Reason: "Twice", At: at}), map[string]any{
			"status": "void", "billed": 0.0, "outstanding": 0.0, "number": 17.0,
		}},
		"disputed": {
			append(issued[:3:3], invoice.DisputeOpened{CustomerID: customer, DisputeID: domaintest.ID(13), Forum: invoice.BeforeCourt, At: at}),
			map[string]any{"disputed": true, "version": 3.0},
		},
		"decided": {
			append(issued[:3:3],
				invoice.DisputeOpened{CustomerID: customer, DisputeID: domaintest.ID(13), Forum: invoice.BeforeCourt, At: at},
				invoice.DisputeDecided{
					CustomerID: customer, DisputeID: domaintest.ID(13), Forum: invoice.BeforeCourt, Outcome: invoice.Rejected, At: at,
				}),
			map[string]any{"disputed": false},
		},
		"seen by staff is not seen": {
			append(issued[:3:3], invoice.ViewedByStaff{CustomerID: customer, StaffID: domaintest.Sam.ID, Session: "s", Version: 3, At: at}),
			map[string]any{"viewed_at": nil, "last_viewed_at": nil},
		},
		"looked at twice": {
			append(issued[:3:3],
				invoice.Viewed{CustomerID: customer, ContactID: domaintest.Dana.ID, Version: 3, At: at},
				invoice.Viewed{CustomerID: customer, ContactID: domaintest.Dana.ID, Version: 3, At: at.Add(time.Hour)}),
			map[string]any{"viewed_at": "2026-03-14T12:00:00+00:00", "last_viewed_at": "2026-03-14T13:00:00+00:00"},
		},
	}
	conn := projectiontest.Connect(t, invoices.Projection{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &projectiontest.History{Business: domaintest.ID(3)}
			h.Add(projectiontest.Sam, invoice.Stream(domaintest.ID(1)), test.given...)
			test.want["_position"] = float64(1000 * len(test.given))
			projectiontest.Expect(t, conn, invoices.Projection{}, h, "invoices", "invoice_id", domaintest.ID(1), test.want)
		})
	}
}

// A stream without its beginning is an error, which quarantines it, and not a
// row made of nothing.
func TestBeginningMissing(t *testing.T) {
	t.Parallel()
	conn := projectiontest.Connect(t, invoices.Projection{})
	history := projectiontest.History{Business: domaintest.ID(3)}
	history.Add(projectiontest.Sam, invoice.Stream(domaintest.ID(1)), invoice.Sent{CustomerID: domaintest.ID(2), At: domaintest.Noon})
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if err := (invoices.Projection{}).Apply(t.Context(), tx, history.Events); err == nil {
		t.Error("applied")
	}
}
