// Package requests is what customers and staff do with requests for work.
package requests

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/request"
)

// Register adds the use cases to the API.
func Register(a huma.API, room *commands.Room) {
	file(a, room)
	triage(a, room)
	ask(a, room)
	reply(a, room)
	accept(a, room)
	decline(a, room)
}

type decider = domain.Decider[request.State, request.Event]

// run brings a decision to a request that the caller may reach.
func run(ctx context.Context, room *commands.Room, call commands.Call, in commands.OnRecord, c decider) (*commands.Answer, error) {
	c, err := commands.IfMatch(in.Conditional, c)
	if err != nil {
		return nil, err
	}
	c = commands.Reaching(call, whose, customer.AskService, request.ErrNotFound, c)
	result, err := room.Requests.Execute(ctx, request.Stream(in.ID), call.Metadata, c)
	if err != nil {
		return nil, err
	}
	return commands.Done(in.ID, result), nil
}

func whose(s request.State) commands.Record {
	return commands.Record{Business: s.BusinessID, Customer: s.CustomerID, Place: s.Place}
}
