package commands

import (
	"context"

	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/eventstore"
)

// Record is whose a record is.
type Record struct {
	Business string // empty where there is no record
	Customer string
	Place    domain.Place
	Hidden   bool // not yet for the customer's eyes
}

// Reach says whether the caller may do this with a record. A record that they
// may not even see is missing, as one that does not exist is.
func (c Call) Reach(r Record, action customer.Action, missing error) error {
	switch {
	case r.Business == "":
		return nil // the decision knows best how to say it
	case r.Business != c.Who.Business:
		return missing
	case !c.Who.IsCustomer():
		return nil
	case r.Customer != c.Who.CustomerID || r.Hidden || !c.rights.Allow(seeing[action], r.Place):
		return missing
	case !c.rights.Allow(action, r.Place):
		return ErrRights
	}
	return nil
}

// seeing is the action of looking at what another action is about.
var seeing = map[customer.Action]customer.Action{
	customer.SeeBilling:   customer.SeeBilling,
	customer.ActOnBilling: customer.SeeBilling,
	customer.SeeService:   customer.SeeService,
	customer.AskService:   customer.SeeService,
}

// Reaching is the command, refused to a caller who may not reach the record. It
// stands before everything that the command itself looks at.
func Reaching[S, E any](
	call Call, whose func(S) Record, action customer.Action, missing error, then domain.Decider[S, E],
) domain.Decider[S, E] {
	return reaching[S, E]{call, whose, action, missing, then}
}

type reaching[S, E any] struct {
	call    Call
	whose   func(S) Record
	action  customer.Action
	missing error
	then    domain.Decider[S, E]
}

func (c reaching[S, E]) Decide(s S) ([]E, error) {
	if err := c.call.Reach(c.whose(s), c.action, c.missing); err != nil {
		return nil, err
	}
	return c.then.Decide(s)
}

// Unless is the command, refused with err if there is one. It is for what was
// looked up before: a repeat of the command is answered all the same.
func Unless[S, E any](err error, then domain.Decider[S, E]) domain.Decider[S, E] {
	return unless[S, E]{err, then}
}

type unless[S, E any] struct {
	err  error
	then domain.Decider[S, E]
}

func (c unless[S, E]) Decide(s S) ([]E, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.then.Decide(s)
}

// ForCustomer looks up a customer about whom a record is to be made, and says
// by an error that they are not the business's, or the place not theirs.
func (r *Room) ForCustomer(ctx context.Context, c Call, id string, place domain.Place) (refusal, err error) {
	var check domain.Check
	check.ID("customerId", id)
	if refusal := check.Err(); refusal != nil {
		return refusal, nil
	}
	state, err := Look(ctx, r.Customers, customer.Stream(id))
	switch {
	case err != nil:
		return nil, err
	case state.BusinessID != c.Who.Business:
		check.Fail("customerId", "unknown_customer", "must be a customer of the business")
	case !state.Has(place):
		check.Fail("propertyId", "unknown_place", "must be a property of the customer, and a unit of that property")
	}
	return check.Err(), nil
}

// SystemCommand is the envelope of what the portal does by itself about a
// record, once: whoever does it, and however often, it is the same command.
func (r *Room) SystemCommand(business, operation, record string) (eventstore.Metadata, error) {
	actor := eventstore.Actor{Kind: eventstore.ActorSystem}
	id, err := eventstore.CommandID(business, actor, operation, record)
	return eventstore.Metadata{
		CommandID:   id,
		Fingerprint: eventstore.NewFingerprint(r.Secret, []byte(operation), []byte(record)),
		Business:    business, Operation: operation, Actor: actor,
		Origin: eventstore.OriginLive, RecordedAt: r.Now().UTC(),
	}, err
}
