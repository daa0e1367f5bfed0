package invoices

import (
	"context"
	"time"

	"portal.example/commands"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/eventstore"
)

// Number takes the next number from the business's register for a frozen
// invoice and writes it into the invoice. Both can be done again by anybody:
// the register's command is the same for all who number this invoice, so that
// it keeps the number it was first given. Nobody numbers an invoice otherwise.
func Number(
	ctx context.Context, room *commands.Room, m eventstore.Metadata, s invoice.State, at time.Time,
) (eventstore.Result[invoice.State, invoice.Event], error) {
	take, err := NumberCommand(room, m, s)
	if err != nil {
		return result{}, err
	}
	taken, err := room.Registers.Execute(ctx, register.Stream(s.BusinessID), take,
		register.TakeNumber{InvoiceID: s.ID, At: at})
	if err != nil {
		return result{}, err
	}
	return room.Invoices.Execute(ctx, invoice.Stream(s.ID), m, invoice.Issue{Number: taken.State.Last, At: at})
}

// NumberCommand is the envelope of taking a number for an invoice, on account of
// the command m.
func NumberCommand(room *commands.Room, m eventstore.Metadata, s invoice.State) (eventstore.Metadata, error) {
	take, err := room.SystemCommand(s.BusinessID, "invoices.take-number", s.ID)
	take.CorrelationID, take.CausationID, take.Origin, take.OccurredAt = m.CorrelationID, m.CausationID, m.Origin, m.OccurredAt
	return take, err
}
