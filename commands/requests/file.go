package requests

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/domain/request"
	"portal.example/internal/api"
)

type fileInput struct {
	api.Idempotent
	Body struct {
		CustomerID string          `json:"customerId,omitempty" doc:"Needed from staff; a customer files their own"`
		PropertyID string          `json:"propertyId,omitempty"`
		UnitID     string          `json:"unitId,omitempty"`
		Kind       request.Kind    `json:"kind" enum:"lead,work-order"`
		Channel    string          `json:"channel,omitempty" doc:"How it reached staff: Desk, Post. A customer's is always portal."`
		Reference  string          `json:"reference,omitempty" doc:"The request's number in another system"`
		Subject    string          `json:"subject"`
		Details    string          `json:"details,omitempty"`
		Slots      []request.Slot  `json:"slots,omitempty" doc:"Up to three, best first"`
		Handler    request.Handler `json:"handler,omitempty"`
		Deadline   time.Time       `json:"deadline,omitzero" doc:"By when an answer was promised"`
	}
}

func file(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "requests.file", "/requests", "Ask for work", slices.Concat(commands.Field, commands.Customers))
	huma.Register(a, op, func(ctx context.Context, in *fileInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "requests.file", in.Idempotent)
		if err != nil {
			return nil, err
		}
		command := fileCommand(call, in)
		refusal, err := mayFile(ctx, room, call, command)
		if err != nil {
			return nil, err
		}
		id := command.RequestID
		result, err := room.Requests.Execute(ctx, request.Stream(id), call.Metadata, commands.Unless(refusal, decider(command)))
		if err != nil {
			return nil, err
		}
		return commands.Done(id, result), nil
	})
}

func fileCommand(call commands.Call, in *fileInput) request.File {
	body := in.Body
	c := request.File{
		By: call.By, RequestID: call.NewID("request"), BusinessID: call.Who.Business, CustomerID: body.CustomerID,
		PropertyID: body.PropertyID, UnitID: body.UnitID, Kind: body.Kind, Channel: body.Channel,
		Reference: body.Reference, Subject: body.Subject, Details: body.Details, Slots: body.Slots,
		Handler: body.Handler, Deadline: body.Deadline, At: call.At,
	}
	if call.Who.IsCustomer() {
		c.CustomerID = cmp.Or(c.CustomerID, call.Who.CustomerID)
		c.Channel = request.ChannelPortal
		c.Handler, c.Deadline, c.Reference = request.Handler{}, time.Time{}, "" // the business's to say
	}
	return c
}

// mayFile refuses a request for somebody else, or for a place that is not there
// or not the contact's.
func mayFile(ctx context.Context, room *commands.Room, call commands.Call, c request.File) (refusal, err error) {
	if call.Who.IsCustomer() && c.CustomerID != call.Who.CustomerID {
		return customer.ErrNotFound, nil
	}
	place := domain.Place{PropertyID: c.PropertyID, UnitID: c.UnitID}
	record := commands.Record{Business: call.Who.Business, Customer: c.CustomerID, Place: place}
	if err := call.Reach(record, customer.AskService, commands.ErrRights); err != nil {
		return err, nil
	}
	return room.ForCustomer(ctx, call, c.CustomerID, place)
}
