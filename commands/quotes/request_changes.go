package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
	"portal.example/internal/api"
)

type requestChangesInput struct {
	ID string `path:"id" maxLength:"36"`
	api.Idempotent
	Body struct {
		Version int    `json:"version" doc:"That the customer holds"`
		Text    string `json:"text"`
	}
}

func requestChanges(a huma.API, room *commands.Room) {
	op := commands.Route(a, "quotes.request-changes", "/quotes/{id}/request-changes", "Ask for another offer", commands.Customers)
	huma.Register(a, op, func(ctx context.Context, in *requestChangesInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.request-changes", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return customerRun(ctx, room, call, in.ID, in.ID, quote.RequestChanges{
			By: call.By, Version: in.Body.Version, Text: in.Body.Text, At: call.At,
		})
	})
}
