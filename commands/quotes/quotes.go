// Package quotes is what staff and customers do with quotes.
package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/quote"
	"portal.example/eventstore"
	"portal.example/internal/reactions"
)

// Register adds the use cases to the API.
func Register(a huma.API, room *commands.Room) {
	draft(a, room)
	revise(a, room)
	send(a, room)
	question(a, room)
	answer(a, room)
	requestChanges(a, room)
	approve(a, room)
	decline(a, room)
}

// Reactions are what the portal does by itself about quotes.
func Reactions(room *commands.Room) []reactions.Reaction {
	return []reactions.Reaction{expire(room)}
}

type decider = domain.Decider[quote.State, quote.Event]

// staffRun brings a decision of staff to a quote of their business.
func staffRun(ctx context.Context, room *commands.Room, call commands.Call, in commands.OnRecord, made string, c decider) (*commands.Answer, error) {
	c, err := commands.IfMatch(in.Conditional, c)
	if err != nil {
		return nil, err
	}
	result, err := run(ctx, room, call, in.ID, c)
	if err != nil {
		return nil, err
	}
	return commands.Done(made, result), nil
}

// customerRun brings a customer's answer to one of their quotes. Which version
// they answer is in the command; the document that they hold is what its ETag
// counts.
func customerRun(ctx context.Context, room *commands.Room, call commands.Call, id, made string, c decider) (*commands.Answer, error) {
	result, err := run(ctx, room, call, id, c)
	if err != nil {
		return nil, err
	}
	return &commands.Answer{
		Headers: commands.HeadersOf(result.Position, result.State.Held),
		Body:    commands.Made{ID: made, Version: result.State.Held},
	}, nil
}

func run(ctx context.Context, room *commands.Room, call commands.Call, id string, c decider) (eventstore.Result[quote.State, quote.Event], error) {
	c = commands.Reaching(call, whose, customer.ActOnBilling, quote.ErrNotFound, c)
	return room.Quotes.Execute(ctx, quote.Stream(id), call.Metadata, c)
}

func whose(q quote.State) commands.Record {
	return commands.Record{Business: q.BusinessID, Customer: q.CustomerID, Place: q.Place, Hidden: q.Held == 0}
}
