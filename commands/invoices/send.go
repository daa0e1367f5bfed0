package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

func send(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.send", "/invoices/{id}/send", "Record that the invoice was sent", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *commands.OnRecord) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.send", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, *in, in.ID, invoice.Send{At: call.At})
	})
}
