package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
	"portal.example/internal/api"
)

type questionInput struct {
	ID string `path:"id" maxLength:"36"`
	api.Idempotent
	Body struct {
		Version int    `json:"version" doc:"That the question is about"`
		Text    string `json:"text"`
	}
}

func question(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "quotes.question", "/quotes/{id}/question", "Ask the business about the offer", commands.Customers)
	huma.Register(a, op, func(ctx context.Context, in *questionInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.question", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("question on " + in.ID)
		return customerRun(ctx, room, call, in.ID, id, quote.AskQuestion{
			By: call.By, QuestionID: id, Version: in.Body.Version, Text: in.Body.Text, At: call.At,
		})
	})
}
