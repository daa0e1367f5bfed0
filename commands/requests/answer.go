package requests

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/request"
)

type replyInput struct {
	commands.OnRecord
	Body struct {
		Text string `json:"text"`
	}
}

func reply(a huma.API, room *commands.Room) {
	op := commands.Route(a, "requests.answer", "/requests/{id}/answer", "Answer what the business asked", commands.Customers)
	huma.Register(a, op, func(ctx context.Context, in *replyInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "requests.answer", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return run(ctx, room, call, in.OnRecord, request.Reply{By: call.By, Text: in.Body.Text, At: call.At})
	})
}
