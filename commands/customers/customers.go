// Package customers is what staff do with the records of customers.
package customers

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
)

// Register adds the use cases to the API.
func Register(a huma.API, room *commands.Room) {
	add(a, room)
	addContact(a, room)
	changeRights(a, room)
	addProperty(a, room)
	addUnit(a, room)
}

type decider = domain.Decider[customer.State, customer.Event]

// run brings a decision to a customer of the caller's business and answers with
// the id of what it made.
func run(ctx context.Context, room *commands.Room, call commands.Call, in commands.OnRecord, made string, c decider) (*commands.Answer, error) {
	c, err := commands.IfMatch(in.Conditional, c)
	if err != nil {
		return nil, err
	}
	c = commands.Reaching(call, whose, customer.SeeService, customer.ErrNotFound, c)
	result, err := room.Customers.Execute(ctx, customer.Stream(in.ID), call.Metadata, c)
	if err != nil {
		return nil, err
	}
	return commands.Done(made, result), nil
}

func whose(s customer.State) commands.Record {
	return commands.Record{Business: s.BusinessID, Customer: s.ID}
}
