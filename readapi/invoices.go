package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/invoices"
)

// Invoice is an invoice as lists show it.
type Invoice struct {
	ID            string     `json:"id"`
	CustomerID    string     `json:"customerId"`
	PropertyID    string     `json:"propertyId,omitempty"`
	UnitID        string     `json:"unitId,omitempty"`
	QuoteID       string     `json:"quoteId,omitempty" doc:"that it bills"`
	Number        int64      `json:"number,omitempty" doc:"absent until it is issued"`
	Reference     string     `json:"reference,omitempty" doc:"its number in another system"`
	Status        string     `json:"status" enum:"draft,frozen,issued,void"`
	Version       int        `json:"version"`
	Total         Money      `json:"total" doc:"of the lines"`
	Billed        Money      `json:"billed" doc:"total and charges less credit notes"`
	Paid          Money      `json:"paid" doc:"all that was received, surplus included"`
	Credit        Money      `json:"credit" doc:"the surplus"`
	Outstanding   Money      `json:"outstanding" doc:"billed - paid + credit"`
	IssuedOn      string     `json:"issuedOn,omitempty" format:"date" doc:"in the business's time zone"`
	DueOn         string     `json:"dueOn,omitempty" format:"date"`
	Disputed      bool       `json:"disputed"`
	DraftedAt     time.Time  `json:"draftedAt"`
	IssuedAt      *time.Time `json:"issuedAt,omitempty"`
	SentAt        *time.Time `json:"sentAt,omitempty"`
	DeliveredAt   *time.Time `json:"deliveredAt,omitempty"`
	ViewedAt      *time.Time `json:"viewedAt,omitempty" doc:"by the customer, for the first time; staff do not count"`
	LastViewedAt  *time.Time `json:"lastViewedAt,omitempty"`
	LastPaidAt    *time.Time `json:"lastPaidAt,omitempty"`
	CollectionsAt *time.Time `json:"collectionsAt,omitempty"`
}

// InvoiceRecord is an invoice with what it says.
type InvoiceRecord struct {
	Invoice
	invoices.Details
}

// invoiceRow is an invoice as its table has it.
type invoiceRow struct {
	InvoiceID, CustomerID, PropertyID, UnitID, QuoteID string
	Number                                             int64
	Reference, Status, Currency                        string
	Version                                            int
	Total, Billed, Paid, Credit, Outstanding           int64
	IssuedOn, DueOn                                    *string
	Disputed                                           bool
	DraftedAt                                          time.Time
	IssuedAt, SentAt, DeliveredAt                      *time.Time
	ViewedAt, LastViewedAt, LastPaidAt, CollectionsAt  *time.Time
	Details                                            *invoices.Details
}

const selectInvoices = `
	SELECT i.invoice_id, i.customer_id, i.property_id, i.unit_id, i.quote_id, i.number, i.reference, i.status, i.currency,
	       i.version, i.total, i.billed, i.paid, i.credit, i.outstanding, i.issued_on::text, i.due_on::text, i.disputed,
	       i.drafted_at, i.issued_at, i.sent_at, i.delivered_at, i.viewed_at, i.last_viewed_at, i.last_paid_at, i.collections_at, `

func (r invoiceRow) invoice() Invoice {
	money := func(amount int64) Money { return Money{amount, r.Currency} }
	return Invoice{
		ID: r.InvoiceID, CustomerID: r.CustomerID, PropertyID: r.PropertyID, UnitID: r.UnitID, QuoteID: r.QuoteID,
		Number: r.Number, Reference: r.Reference, Status: r.Status, Version: r.Version,
		Total: money(r.Total), Billed: money(r.Billed), Paid: money(r.Paid), Credit: money(r.Credit),
		Outstanding: money(r.Outstanding), IssuedOn: text(r.IssuedOn), DueOn: text(r.DueOn), Disputed: r.Disputed,
		DraftedAt: r.DraftedAt, IssuedAt: r.IssuedAt, SentAt: r.SentAt, DeliveredAt: r.DeliveredAt,
		ViewedAt: r.ViewedAt, LastViewedAt: r.LastViewedAt, LastPaidAt: r.LastPaidAt, CollectionsAt: r.CollectionsAt,
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type invoicesInput struct {
	api.Waiting
	Page
	Search   string `query:"q" maxLength:"100" doc:"part of the reference, or the number"`
	Customer string `query:"customer" maxLength:"36"`
	Status   string `query:"status" enum:"draft,frozen,issued,void"`
	Paid     string `query:"paid" enum:"full,part,none" doc:"issued invoices paid so far"`
	Overdue  bool   `query:"overdue" doc:"only those with something outstanding after the due date"`
	Disputed bool   `query:"disputed" doc:"only those with an open dispute"`
}

func registerInvoices(a huma.API, d Deps) {
	huma.Register(a, get(a, "list-invoices", "/invoices", "List invoices, the newest first", everybody), d.listInvoices)
	huma.Register(a, get(a, "get-invoice", "/invoices/{id}",
		"Show an invoice; that a customer looks at it is recorded first", everybody), d.getInvoice)
}

// onlyInvoices keeps drafts from customers.
func (q *query) onlyInvoices(who api.Principal) {
	q.only(who, "i", seeBilling)
	if who.IsCustomer() {
		q.and("i.number > 0")
	}
}

func (d Deps) listInvoices(ctx context.Context, in *invoicesInput) (*List[Invoice], error) {
	after, err := in.after("invoices")
	if err != nil {
		return nil, err
	}
	var found []invoiceRow
	asOf, err := d.read(ctx, in.Waiting, []string{"invoices"}, func(r *reader) error {
		var q query
		q.onlyInvoices(r.who)
		q.search(in.Search, "i.reference", "i.number::text")
		q.equal("i.customer_id", in.Customer)
		q.equal("i.status", in.Status)
		q.paid(in.Paid)
		if in.Overdue {
			q.and(`i.outstanding > 0 AND i.due_on < (SELECT (?::timestamptz AT TIME ZONE b.time_zone)::date FROM businesses b)`, d.Now())
		}
		if in.Disputed {
			q.and("i.disputed")
		}
		q.newest(after, "i.drafted_at", "i.invoice_id")
		sql, args := q.sql(selectInvoices+"NULL AS details FROM invoices i", "i.drafted_at DESC, i.invoice_id DESC", in.Limit)
		r.queue(records(&found), sql, args...)
		return nil
	})
	items := make([]Invoice, len(found))
	for i, row := range found {
		items[i] = row.invoice()
	}
	end := func(i Invoice) place { return place{List: "invoices", At: i.DraftedAt, ID: i.ID} }
	return &List[Invoice]{asOf, cut(items, in.Limit, end)}, err
}

func (q *query) paid(how string) {
	switch how {
	case "full":
		q.and("i.status = 'issued' AND i.paid > 0 AND i.outstanding = 0")
	case "part":
		q.and("i.status = 'issued' AND i.paid > 0 AND i.outstanding > 0")
	case "none":
		q.and("i.status = 'issued' AND i.paid = 0")
	}
}

func (d Deps) getInvoice(ctx context.Context, in *ByID) (*versioned[InvoiceRecord], error) {
	var found *invoiceRow
	asOf, err := d.read(ctx, in.Waiting, []string{"invoices"}, func(r *reader) error {
		var q query
		q.and("i.invoice_id = ?", in.ID)
		q.onlyInvoices(r.who)
		sql, args := q.sql(selectInvoices+"i.details FROM invoices i", "i.invoice_id", 1)
		r.queue(record(&found), sql, args...)
		return nil
	})
	if err == nil && found == nil {
		err = notFound("invoice")
	}
	if err == nil {
		err = d.viewed(ctx, in.ID, found.Version, d.Views.InvoiceViewed)
	}
	if err != nil {
		return nil, err
	}
	return &versioned[InvoiceRecord]{asOf, api.ETag(found.Version), InvoiceRecord{found.invoice(), *found.Details}}, nil
}
