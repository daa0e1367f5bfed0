package requests

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/request"
)

type triageInput struct {
	commands.OnRecord
	Body struct {
		Step    string          `json:"step" doc:"As the business calls it"`
		Handler request.Handler `json:"handler,omitempty"`
	}
}

func triage(a huma.API, room *commands.Room) {
	op := commands.Route(a, "requests.triage", "/requests/{id}/triage", "Take a step towards an answer", commands.Field)
	huma.Register(a, op, func(ctx context.Context, in *triageInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "requests.triage", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return run(ctx, room, call, in.OnRecord, request.Triage{Step: in.Body.Step, Handler: in.Body.Handler, At: call.At})
	})
}
