package invoices

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portal.example/commands"
	"portal.example/domain/account"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/domain/payment"
	"portal.example/eventstore"
)

// Settlement is where a payment went.
type Settlement struct {
	Invoice   invoice.State // with the payment
	Allocated money.Money
	Surplus   money.Money
	Position  eventstore.Position
}

// Settle brings a recorded payment to its invoice, what that could not take to
// the customer's account, and both back to the payment. Each stream knows the
// payment by its id, so that all of it can be done again by anybody.
func Settle(ctx context.Context, room *commands.Room, m eventstore.Metadata, p payment.State, at time.Time) (Settlement, error) {
	received, err := room.Invoices.Execute(ctx, invoice.Stream(p.InvoiceID), commands.NextStep(m, "receive"),
		invoice.ReceivePayment{PaymentID: p.ID, Amount: p.Amount, At: at})
	if err != nil {
		return Settlement{}, err
	}
	done := Settlement{Invoice: received.State}
	if done.Allocated, done.Surplus, err = split(received.State, p.ID); err != nil {
		return Settlement{}, err
	}
	if done.Surplus.Amount > 0 {
		err := giveCredit(ctx, room, m, account.Credit{
			CustomerID: p.CustomerID, BusinessID: p.BusinessID, Source: account.FromPayment, SourceID: p.ID,
			InvoiceID: p.InvoiceID, Amount: done.Surplus, At: at,
		})
		if err != nil {
			return Settlement{}, err
		}
	}
	settled, err := room.Payments.Execute(ctx, payment.Stream(p.ID), commands.NextStep(m, "settle"),
		payment.Settle{Allocated: done.Allocated, Surplus: done.Surplus, At: at})
	done.Position = settled.Position
	return done, err
}

// split is how much of a payment the invoice took, and how much it did not.
func split(s invoice.State, paymentID string) (allocated, surplus money.Money, err error) {
	i := slices.IndexFunc(s.Payments, func(p invoice.Payment) bool { return p.ID == paymentID })
	if i < 0 {
		return money.Money{}, money.Money{}, fmt.Errorf("invoice %s does not have the payment %s that it has just received", s.ID, paymentID)
	}
	p := s.Payments[i]
	return p.Allocated, p.Received.Minus(p.Allocated), nil
}

// giveCredit puts it on the account, where one request's steps about several
// sources may meet.
func giveCredit(ctx context.Context, room *commands.Room, m eventstore.Metadata, c account.Credit) error {
	_, err := room.Accounts.Execute(ctx, account.Stream(c.CustomerID), commands.NextStep(m, "credit of "+c.SourceID), c)
	return err
}
