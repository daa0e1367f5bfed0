package invoices

import (
	"cmp"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
)

type answerDisputeInput struct {
	commands.OnRecord
	DisputeID string `path:"disputeId" maxLength:"36"`
	Body      struct {
		Forum invoice.Forum `json:"forum,omitempty" enum:"business,authority,court"`
		Text  string        `json:"text,omitempty"`
	}
}

func answerDispute(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.answer-dispute", "/invoices/{id}/disputes/{disputeId}/answer", "Answer a dispute", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *answerDisputeInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.answer-dispute", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return answer(ctx, room, call, in.OnRecord, in.DisputeID, invoice.AnswerDispute{
			DisputeID: in.DisputeID, Forum: cmp.Or(in.Body.Forum, invoice.BeforeBusiness), Text: in.Body.Text, At: call.At,
		})
	})
}
