package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/internal/api"
)

type draftInvoiceInput struct {
	api.Idempotent
	Body struct {
		CustomerID string         `json:"customerId"`
		PropertyID string         `json:"propertyId,omitempty"`
		UnitID     string         `json:"unitId,omitempty"`
		QuoteID    string         `json:"quoteId,omitempty" doc:"The quote that it bills"`
		Reference  string         `json:"reference,omitempty" doc:"The invoice's number in another system"`
		Currency   money.Currency `json:"currency" example:"EUR"`
		Lines      []lines.Line   `json:"lines"`
		Note       string         `json:"note,omitempty"`
	}
}

func draft(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "invoices.draft", "/invoices", "Begin an invoice", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *draftInvoiceInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.draft", in.Idempotent)
		if err != nil {
			return nil, err
		}
		body := in.Body
		refusal, err := room.ForCustomer(ctx, call, body.CustomerID, domain.Place{PropertyID: body.PropertyID, UnitID: body.UnitID})
		if err == nil && refusal == nil && body.QuoteID != "" {
			refusal, err = ofCustomer(ctx, room, call, body.QuoteID, body.CustomerID)
		}
		if err != nil {
			return nil, err
		}
		id := call.NewID("invoice")
		r, err := room.Invoices.Execute(ctx, invoice.Stream(id), call.Metadata, commands.Unless(refusal, decider(invoice.Draft{
			InvoiceID: id, BusinessID: call.Who.Business, CustomerID: body.CustomerID,
			PropertyID: body.PropertyID, UnitID: body.UnitID, QuoteID: body.QuoteID,
			Reference: body.Reference, Currency: body.Currency, Lines: body.Lines, Note: body.Note, At: call.At,
		})))
		if err != nil {
			return nil, err
		}
		return commands.Done(id, r), nil
	})
}

// ofCustomer refuses an invoice that bills somebody else's quote.
func ofCustomer(ctx context.Context, room *commands.Room, call commands.Call, quoteID, customerID string) (refusal, err error) {
	state, err := commands.Look(ctx, room.Quotes, quote.Stream(quoteID))
	if err != nil {
		return nil, err
	}
	var check domain.Check
	if state.BusinessID != call.Who.Business || state.CustomerID != customerID {
		check.Fail("quoteId", "unknown_quote", "must be a quote of the customer")
	}
	return check.Err(), nil
}
