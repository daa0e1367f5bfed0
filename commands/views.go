package commands

import (
	"context"
	"errors"

	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/quote"
	"portal.example/eventstore"
	"portal.example/internal/api"
)

// Views records that somebody looks at a document. The read side calls it
// before it answers: what a customer saw is in the log by then, and what
// could not be recorded is not shown.
type Views struct {
	Room *Room
}

// QuoteViewed records that the principal has that version of the quote before
// them. A quote that they may not see is a domain.NotFound; a version that is no
// longer the present one is refused until what they are shown is.
func (v Views) QuoteViewed(ctx context.Context, who api.Principal, quoteID string, version int) error {
	call, err := v.Room.Begin(api.WithPrincipal(ctx, who), "quotes.view", api.Idempotent{})
	if err != nil {
		return err
	}
	view := Reaching[quote.State, quote.Event](call, func(q quote.State) Record {
		return Record{Business: q.BusinessID, Customer: q.CustomerID, Place: q.Place, Hidden: q.Held == 0}
	}, customer.SeeBilling, quote.ErrNotFound, quote.View{Visit: call.Visit(), Version: version})
	return seen(v.Room.Quotes.Execute(ctx, quote.Stream(quoteID), call.Metadata, view))
}

// InvoiceViewed is QuoteViewed for an invoice.
func (v Views) InvoiceViewed(ctx context.Context, who api.Principal, invoiceID string, version int) error {
	call, err := v.Room.Begin(api.WithPrincipal(ctx, who), "invoices.view", api.Idempotent{})
	if err != nil {
		return err
	}
	view := Reaching[invoice.State, invoice.Event](call, func(s invoice.State) Record {
		return Record{Business: s.BusinessID, Customer: s.CustomerID, Place: s.Place, Hidden: s.Number == 0}
	}, customer.SeeBilling, invoice.ErrNotFound, invoice.View{Visit: call.Visit(), Version: version})
	return seen(v.Room.Invoices.Execute(ctx, invoice.Stream(invoiceID), call.Metadata, view))
}

func seen[S, E any](_ eventstore.Result[S, E], err error) error {
	if errors.Is(err, domain.ErrVersion) {
		return api.Unready("not_yet", "the document has just changed; ask again")
	}
	return err
}
