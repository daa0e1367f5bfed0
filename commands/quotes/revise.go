package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
)

type reviseQuoteInput struct {
	commands.OnRecord
	Body struct {
		Offer quote.Offer `json:"offer"`
	}
}

func revise(a huma.API, room *commands.Room) {
	op := commands.Route(a, "quotes.revise", "/quotes/{id}/revise", "Make the next version of the offer", commands.Office)
	op.Description = "If-Match is needed. The customer holds the version sent before until this one is sent."
	huma.Register(a, op, func(ctx context.Context, in *reviseQuoteInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.revise", in.Idempotent)
		if err != nil {
			return nil, err
		}
		c, err := commands.MustMatch(in.Conditional, decider(quote.Revise{Offer: in.Body.Offer, At: call.At}))
		if err != nil {
			return nil, err
		}
		result, err := run(ctx, room, call, in.ID, c)
		if err != nil {
			return nil, err
		}
		return commands.Done(in.ID, result), nil
	})
}
