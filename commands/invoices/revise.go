package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
)

type reviseInvoiceInput struct {
	commands.OnRecord
	Body struct {
		Lines []lines.Line `json:"lines"`
		Note  string       `json:"note,omitempty"`
	}
}

func revise(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.revise", "/invoices/{id}/revise", "Change a draft", commands.Office)
	op.Description = "If-Match is needed."
	huma.Register(a, op, func(ctx context.Context, in *reviseInvoiceInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.revise", in.Idempotent)
		if err != nil {
			return nil, err
		}
		if _, err := in.RequiredVersion(); err != nil {
			return nil, err
		}
		return answer(ctx, room, call, in.OnRecord, in.ID, invoice.Revise{Lines: in.Body.Lines, Note: in.Body.Note, At: call.At})
	})
}
