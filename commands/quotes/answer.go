package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
)

type answerQuestionInput struct {
	commands.OnRecord
	Body struct {
		QuestionID string `json:"questionId"`
		Text       string `json:"text"`
	}
}

func answer(a huma.API, room *commands.Room) {
	op := commands.Route(a, "quotes.answer", "/quotes/{id}/answer", "Answer a customer's question", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *answerQuestionInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.answer", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return staffRun(ctx, room, call, in.OnRecord, in.ID, quote.AnswerQuestion{
			QuestionID: in.Body.QuestionID, Text: in.Body.Text, At: call.At,
		})
	})
}
