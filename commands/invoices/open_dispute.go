package invoices

import (
	"cmp"
	"context"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

type openDisputeInput struct {
	commands.OnRecord
	Body struct {
		Forum  invoice.Forum `json:"forum,omitempty" enum:"business,authority,court" doc:"business by default, which is all that a customer can say"`
		Reason string        `json:"reason,omitempty" doc:"Needed from a customer"`
	}
}

func openDispute(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "invoices.open-dispute", "/invoices/{id}/disputes", "Contest the invoice",
		slices.Concat(commands.Office, commands.Customers))
	huma.Register(a, op, func(ctx context.Context, in *openDisputeInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.open-dispute", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("dispute of " + in.ID)
		return answer(ctx, room, call, in.OnRecord, id, invoice.OpenDispute{
			By: call.By, DisputeID: id, Forum: cmp.Or(in.Body.Forum, invoice.BeforeBusiness), Reason: in.Body.Reason, At: call.At,
		})
	})
}
