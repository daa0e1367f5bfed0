package invoices

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/business"
	"portal.example/domain/invoice"
)

type issueInput struct {
	commands.OnRecord
	Body struct {
		IssuedOn domain.Date `json:"issuedOn,omitzero" format:"date" doc:"Today, in the business's time zone, by default"`
		DueOn    domain.Date `json:"dueOn,omitzero" format:"date" doc:"Last day on which it is not overdue; 30 days after the issue by default"`
	}
}

type issueAnswer struct {
	commands.Headers
	Body struct {
		commands.Made
		Number int64 `json:"number" doc:"Without gaps within the business"`
	}
}

// daysToPay is when an invoice is due that does not say when.
const daysToPay = 30

// issue freezes the invoice, which is the decision, and then numbers it.
func issue(a huma.API, room *commands.Room) {
	op := commands.Route(a, "invoices.issue", "/invoices/{id}/issue", "Give an invoice its number", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *issueInput) (*issueAnswer, error) {
		call, err := room.Begin(ctx, "invoices.issue", in.Idempotent)
		if err != nil {
			return nil, err
		}
		freeze, err := freezing(ctx, room, call, in)
		if err != nil {
			return nil, err
		}
		frozen, err := run(ctx, room, call, in.OnRecord, freeze)
		if err != nil {
			return nil, err
		}
		issued, err := Number(ctx, room, call.Step("number"), frozen.State, call.At)
		if err != nil {
			return nil, err
		}
		out := &issueAnswer{Headers: commands.HeadersOf(issued.Position, issued.State.Version)}
		out.Body.Made = commands.Made{ID: in.ID, Version: issued.State.Version}
		out.Body.Number = issued.State.Number
		return out, nil
	})
}

func freezing(ctx context.Context, room *commands.Room, call commands.Call, in *issueInput) (decider, error) {
	issuedOn, dueOn := in.Body.IssuedOn, in.Body.DueOn
	if issuedOn == (domain.Date{}) {
		state, err := commands.Look(ctx, room.Businesses, business.Stream(call.Who.Business))
		if err != nil {
			return nil, err
		}
		zone, err := time.LoadLocation(state.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("time zone of business %s: %w", call.Who.Business, err)
		}
		issuedOn = domain.DateOf(call.At, zone)
	}
	if dueOn == (domain.Date{}) {
		dueOn = domain.DateOf(time.Date(issuedOn.Year, issuedOn.Month, issuedOn.Day+daysToPay, 0, 0, 0, 0, time.UTC), time.UTC)
	}
	return invoice.Freeze{IssuedOn: issuedOn, DueOn: dueOn, At: call.At}, nil
}
