package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/domain/request"
	"portal.example/internal/api"
)

type draftQuoteInput struct {
	api.Idempotent
	Body struct {
		CustomerID string         `json:"customerId"`
		PropertyID string         `json:"propertyId,omitempty"`
		UnitID     string         `json:"unitId,omitempty"`
		RequestID  string         `json:"requestId,omitempty" doc:"The request that it answers"`
		Reference  string         `json:"reference" doc:"What people call it" example:"Q-1042"`
		Currency   money.Currency `json:"currency" example:"EUR"`
		Offer      quote.Offer    `json:"offer"`
	}
}

func draft(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "quotes.draft", "/quotes", "Begin a quote", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *draftQuoteInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.draft", in.Idempotent)
		if err != nil {
			return nil, err
		}
		body := in.Body
		refusal, err := room.ForCustomer(ctx, call, body.CustomerID, domain.Place{PropertyID: body.PropertyID, UnitID: body.UnitID})
		if err == nil && refusal == nil && body.RequestID != "" {
			refusal, err = ofCustomer(ctx, room, call, body.RequestID, body.CustomerID)
		}
		if err != nil {
			return nil, err
		}
		id := call.NewID("quote")
		result, err := room.Quotes.Execute(ctx, quote.Stream(id), call.Metadata, commands.Unless(refusal, decider(quote.Draft{
			QuoteID: id, BusinessID: call.Who.Business, CustomerID: body.CustomerID,
			PropertyID: body.PropertyID, UnitID: body.UnitID, RequestID: body.RequestID,
			Reference: body.Reference, Currency: body.Currency, Offer: body.Offer, At: call.At,
		})))
		if err != nil {
			return nil, err
		}
		return commands.Done(id, result), nil
	})
}

// ofCustomer refuses a quote that answers somebody else's request.
func ofCustomer(ctx context.Context, room *commands.Room, call commands.Call, requestID, customerID string) (refusal, err error) {
	state, err := commands.Look(ctx, room.Requests, request.Stream(requestID))
	if err != nil {
		return nil, err
	}
	var check domain.Check
	if state.BusinessID != call.Who.Business || state.CustomerID != customerID {
		check.Fail("requestId", "unknown_request", "must be a request of the customer")
	}
	return check.Err(), nil
}
