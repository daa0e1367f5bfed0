package invoices

import (
	"context"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/account"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
)

type creditInput struct {
	commands.OnRecord
	Body struct {
		Amount money.Money `json:"amount"`
		Reason string      `json:"reason"`
	}
}

// credit issues a credit note, and gives the customer what they had paid of it
// already.
func credit(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "invoices.credit", "/invoices/{id}/credit", "Take back part of what was billed", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *creditInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "invoices.credit", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("credit note on " + in.ID)
		noted, err := run(ctx, room, call, in.OnRecord, invoice.IssueCreditNote{
			CreditNoteID: id, Amount: in.Body.Amount, Reason: in.Body.Reason, At: call.At,
		})
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(noted.Events, func(e invoice.Event) bool { _, is := e.(invoice.CreditNoteIssued); return is })
		if i < 0 {
			return nil, fmt.Errorf("invoice %s took the credit note %s and says nothing of it", in.ID, id)
		}
		note := noted.Events[i].(invoice.CreditNoteIssued)
		if note.Surplus.Amount > 0 {
			if err := giveCredit(ctx, room, call.Metadata, creditOf(noted.State, note)); err != nil {
				return nil, err
			}
		}
		return commands.Done(id, noted), nil
	})
}

// creditOf is what a credit note leaves the customer with.
func creditOf(s invoice.State, note invoice.CreditNoteIssued) account.Credit {
	return account.Credit{
		CustomerID: s.CustomerID, BusinessID: s.BusinessID, Source: account.FromCreditNote, SourceID: note.CreditNoteID,
		InvoiceID: s.ID, Amount: note.Surplus, At: note.At,
	}
}
