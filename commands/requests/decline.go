package requests

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/request"
)

type declineRequestInput struct {
	commands.OnRecord
	Body struct {
		Reason string `json:"reason"`
	}
}

func decline(a huma.API, room *commands.Room) {
	op := commands.Route(a, "requests.decline", "/requests/{id}/decline", "Turn the request down", commands.Field)
	huma.Register(a, op, func(ctx context.Context, in *declineRequestInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "requests.decline", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return run(ctx, room, call, in.OnRecord, request.Decline{Reason: in.Body.Reason, At: call.At})
	})
}
