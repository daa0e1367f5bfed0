package invoices

import (
	"cmp"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

type decideDisputeInput struct {
	commands.OnRecord
	DisputeID string `path:"disputeId" maxLength:"36"`
	Body      struct {
		Forum   invoice.Forum   `json:"forum,omitempty" enum:"business,authority,court"`
		Outcome invoice.Outcome `json:"outcome" enum:"upheld,partly-upheld,rejected,withdrawn,unstated"`
		Text    string          `json:"text,omitempty"`
	}
}

func decideDispute(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.decide-dispute", "/invoices/{id}/disputes/{disputeId}/decide", "Record how a dispute ended", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *decideDisputeInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.decide-dispute", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, in.OnRecord, in.DisputeID, invoice.DecideDispute{
			DisputeID: in.DisputeID, Forum: cmp.Or(in.Body.Forum, invoice.BeforeBusiness),
			Outcome: in.Body.Outcome, Text: in.Body.Text, At: call.At,
		})
	})
}
