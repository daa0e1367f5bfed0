package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

type voidInput struct {
	commands.OnRecord
	Body struct {
		Reason string `json:"reason"`
	}
}

func void(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.void", "/invoices/{id}/void", "Void an invoice without payments", commands.Office)
	op.Description = "Its number stays taken."
	huma.Register(a, op, func(ctx context.Context, in *voidInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.void", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, in.OnRecord, in.ID, invoice.Void{Reason: in.Body.Reason, At: call.At})
	})
}
