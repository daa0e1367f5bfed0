package invoices

import (
	"cmp"
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/domain/payment"
)

type recordPaymentInput struct {
	commands.OnRecord
	Body struct {
		Method     payment.Method `json:"method" enum:"cash,cheque,transfer"`
		Amount     money.Money    `json:"amount"`
		Reference  string         `json:"reference,omitempty" doc:"Number of a cheque, text of a transfer"`
		ReceivedAt time.Time      `json:"receivedAt,omitzero" doc:"When the money arrived; now by default"`
	}
}

type recordPaymentAnswer struct {
	commands.Headers
	Body struct {
		commands.Made
		Allocated money.Money `json:"allocated" doc:"What the invoice took"`
		Surplus   money.Money `json:"surplus" doc:"What became credit of the customer's account"`
		Balance   money.Money `json:"balance" doc:"Left to be paid on the invoice"`
	}
}

// recordPayment records money that arrived, which is the decision, and then
// settles it.
func recordPayment(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "invoices.record-payment", "/invoices/{id}/payments", "Record cash, a cheque or a transfer", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *recordPaymentInput) (*recordPaymentAnswer, error) {
		call, err := room.Begin(ctx, "invoices.record-payment", in.Idempotent)
		if err != nil {
			return nil, err
		}
		record, err := recording(ctx, room, call, in)
		if err != nil {
			return nil, err
		}
		recorded, err := room.Payments.Execute(ctx, payment.Stream(call.NewID("payment of "+in.ID)), call.Metadata, record)
		if err != nil {
			return nil, err
		}
		settled, err := Settle(ctx, room, call.Metadata, recorded.State, arrival(recorded.Events, call.At))
		if err != nil {
			return nil, err
		}
		out := &recordPaymentAnswer{Headers: commands.HeadersOf(settled.Position, settled.Invoice.Version)}
		out.Body.Made = commands.Made{ID: recorded.State.ID, Version: settled.Invoice.Version}
		out.Body.Allocated, out.Body.Surplus = settled.Allocated, settled.Surplus
		out.Body.Balance = settled.Invoice.Balance()
		return out, nil
	})
}

// arrival is when the money came, as the first answer has it.
func arrival(events []payment.Event, otherwise time.Time) time.Time {
	for _, e := range events {
		if recorded, ok := e.(payment.Recorded); ok {
			return recorded.At
		}
	}
	return otherwise
}

// recording is the decision, refused for all that could refuse the payment
// later: afterwards the money is a fact.
func recording(
	ctx context.Context, room *commands.Room, call commands.Call, in *recordPaymentInput,
) (domain.Decider[payment.State, payment.Event], error) {
	state, err := commands.Look(ctx, room.Invoices, invoice.Stream(in.ID))
	if err != nil {
		return nil, err
	}
	received := in.Body.ReceivedAt
	if received.IsZero() {
		received = call.At
	}
	record := payment.Record{
		PaymentID: call.NewID("payment of " + in.ID), BusinessID: call.Who.Business, CustomerID: state.CustomerID, InvoiceID: in.ID,
		Currency: state.Currency, Method: in.Body.Method, Amount: in.Body.Amount, Reference: in.Body.Reference, At: received,
	}
	refusal := call.Reach(whose(state), customer.ActOnBilling, invoice.ErrNotFound)
	if refusal == nil {
		refusal = receivable(in, call, state, received)
	}
	return commands.Unless(refusal, domain.Decider[payment.State, payment.Event](record)), nil
}

func receivable(in *recordPaymentInput, call commands.Call, s invoice.State, received time.Time) error {
	receive := decider(invoice.ReceivePayment{PaymentID: call.NewID("payment of " + in.ID), Amount: in.Body.Amount, At: received})
	receive, err := commands.IfMatch(in.Conditional, receive)
	if err != nil {
		return err
	}
	var check domain.Check
	if received.After(call.At) {
		check.Fail("receivedAt", "in_the_future", "must not be in the future")
	}
	_, refusal := receive.Decide(s)
	return cmp.Or(refusal, check.Err())
}
