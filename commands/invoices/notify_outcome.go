package invoices

import (
	"cmp"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

type notifyOutcomeInput struct {
	commands.OnRecord
	DisputeID string `path:"disputeId" maxLength:"36"`
	Body      struct {
		Forum invoice.Forum `json:"forum,omitempty" enum:"business,authority,court"`
	}
}

func notifyOutcome(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.notify-outcome", "/invoices/{id}/disputes/{disputeId}/notify", "Record that the customer was told the outcome", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *notifyOutcomeInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.notify-outcome", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, in.OnRecord, in.DisputeID, invoice.NotifyDisputeOutcome{
			DisputeID: in.DisputeID, Forum: cmp.Or(in.Body.Forum, invoice.BeforeBusiness), At: call.At,
		})
	})
}
