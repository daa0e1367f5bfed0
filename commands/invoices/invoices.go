// Package invoices is what staff and customers do with invoices, and what
// follows from it on other streams: numbers, payments, credit.
//
// Where a use case takes several streams, its first append is the decision, and
// what remains cannot be refused. Each further step may be repeated without
// harm, by the request itself or by the Sweeper, which finishes what a crash
// interrupted.
package invoices

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/eventstore"
)

// Register adds the use cases to the API.
func Register(a huma.API, room *commands.Room) {
	draft(a, room)
	revise(a, room)
	issue(a, room)
	send(a, room)
	confirmDelivery(a, room)
	addExpense(a, room)
	addLateFee(a, room)
	recordPayment(a, room)
	credit(a, room)
	void(a, room)
	sendToCollections(a, room)
	openDispute(a, room)
	answerDispute(a, room)
	decideDispute(a, room)
	notifyOutcome(a, room)
}

type (
	decider = domain.Decider[invoice.State, invoice.Event]
	result  = eventstore.Result[invoice.State, invoice.Event]
)

// answer brings a decision to an invoice that the caller may reach, and answers
// with the id of what it made.
func answer(ctx context.Context, room *commands.Room, call commands.Call, in commands.OnRecord, made string, c decider) (*commands.Answer, error) {
	r, err := run(ctx, room, call, in, c)
	if err != nil {
		return nil, err
	}
	return commands.Done(made, r), nil
}

func run(ctx context.Context, room *commands.Room, call commands.Call, in commands.OnRecord, c decider) (result, error) {
	c, err := commands.IfMatch(in.Conditional, c)
	if err != nil {
		return result{}, err
	}
	c = commands.Reaching(call, whose, customer.ActOnBilling, invoice.ErrNotFound, c)
	return room.Invoices.Execute(ctx, invoice.Stream(in.ID), call.Metadata, c)
}

func whose(s invoice.State) commands.Record {
	return commands.Record{Business: s.BusinessID, Customer: s.CustomerID, Place: s.Place, Hidden: s.Number == 0}
}
