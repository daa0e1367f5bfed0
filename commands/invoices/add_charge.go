package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
)

type chargeInput struct {
	commands.OnRecord
	Body struct {
		Description string      `json:"description"`
		Amount      money.Money `json:"amount"`
	}
}

func addExpense(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "invoices.add-expense", "/invoices/{id}/expense", "Pass an outlay on", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *chargeInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.add-expense", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("charge on " + in.ID)
		return answer(ctx, room, call, in.OnRecord, id, invoice.AddExpense{
			ChargeID: id, Description: in.Body.Description, Amount: in.Body.Amount, At: call.At,
		})
	})
}

func addLateFee(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "invoices.add-late-fee", "/invoices/{id}/late-fee", "Charge for lateness", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *chargeInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.add-late-fee", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("charge on " + in.ID)
		return answer(ctx, room, call, in.OnRecord, id, invoice.AddLateFee{
			ChargeID: id, Description: in.Body.Description, Amount: in.Body.Amount, At: call.At,
		})
	})
}
