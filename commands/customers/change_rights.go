package customers

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/customer"
)

type changeRightsInput struct {
	commands.OnRecord
	ContactID string `path:"contactId" maxLength:"36"`
	Body      customer.Rights
}

func changeRights(a huma.API, room *commands.Room) {
	op := commands.Route(a, "customers.change-rights", "/customers/{id}/contacts/{contactId}/rights",
		"Change what a contact may see and do", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *changeRightsInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "customers.change-rights", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return run(ctx, room, call, in.OnRecord, in.ContactID, customer.ChangeRights{
			ContactID: in.ContactID, Rights: in.Body, At: call.At,
		})
	})
}
