package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
)

func send(a huma.API, room *commands.Room) {
	op := commands.Route(a, "quotes.send", "/quotes/{id}/send", "Give the present version to the customer", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *commands.OnRecord) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.send", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return staffRun(ctx, room, call, *in, in.ID, quote.Send{At: call.At})
	})
}
