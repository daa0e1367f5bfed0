package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

func confirmDelivery(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.confirm-delivery", "/invoices/{id}/confirm-delivery", "Record that the invoice arrived", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *commands.OnRecord) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.confirm-delivery", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, *in, in.ID, invoice.ConfirmDelivery{At: call.At})
	})
}
