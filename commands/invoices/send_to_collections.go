package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

func sendToCollections(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.send-to-collections", "/invoices/{id}/collections", "Hand the invoice to a collector", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *commands.OnRecord) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.send-to-collections", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, *in, in.ID, invoice.SendToCollections{At: call.At})
	})
}
