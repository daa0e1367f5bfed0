package requests

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/request"
)

type acceptInput struct {
	commands.OnRecord
	Body struct {
		Next request.Next `json:"next" enum:"quote,appointment" doc:"What it leads to"`
	}
}

func accept(a huma.API, room *commands.Room) {
	op := commands.Route(a, "requests.accept", "/requests/{id}/accept", "Take the request on", commands.Field)
	huma.Register(a, op, func(ctx context.Context, in *acceptInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "requests.accept", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return run(ctx, room, call, in.OnRecord, request.Accept{Next: in.Body.Next, At: call.At})
	})
}
