package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
	"portal.example/internal/api"
)

type declineQuoteInput struct {
	ID string `path:"id" maxLength:"36"`
	api.Idempotent
	Body struct {
		Version int    `json:"version" doc:"That the customer holds"`
		Reason  string `json:"reason"`
	}
}

func decline(a huma.API, room *commands.Room) {
	op := commands.Route(a, "quotes.decline", "/quotes/{id}/decline", "Turn the offer down", commands.Customers)
	huma.Register(a, op, func(ctx context.Context, in *declineQuoteInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.decline", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return customerRun(ctx, room, call, in.ID, in.ID, quote.Decline{
			By: call.By, Version: in.Body.Version, Reason: in.Body.Reason, At: call.At,
		})
	})
}
