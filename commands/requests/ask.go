package requests

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/request"
)

type askInput struct {
	commands.OnRecord
	Body struct {
		Question string `json:"question"`
	}
}

func ask(a huma.API, room *commands.Room) {
	op := commands.Route(a, "requests.ask", "/requests/{id}/ask", "Ask the customer for more", commands.Field)
	huma.Register(a, op, func(ctx context.Context, in *askInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "requests.ask", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return run(ctx, room, call, in.OnRecord, request.AskBack{Question: in.Body.Question, At: call.At})
	})
}
