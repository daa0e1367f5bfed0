package customers

import (
	"cmp"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
)

type addContactInput struct {
	commands.OnRecord
	Body struct {
		Name     string          `json:"name"`
		Email    string          `json:"email,omitempty"`
		Phone    string          `json:"phone,omitempty"`
		Language string          `json:"language,omitempty" enum:"en,ja" doc:"en by default"`
		Rights   customer.Rights `json:"rights,omitempty" doc:"Everything by default"`
	}
}

func addContact(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "customers.add-contact", "/customers/{id}/contacts", "Add a person who acts for the customer", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *addContactInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "customers.add-contact", in.Idempotent)
		if err != nil {
			return nil, err
		}
		rights := in.Body.Rights
		rights.Access = cmp.Or(rights.Access, customer.Everything)
		id := call.NewID("contact of " + in.ID)
		return run(ctx, room, call, in.OnRecord, id, customer.AddContact{
			ContactID: id, Name: in.Body.Name, Email: in.Body.Email, Phone: in.Body.Phone,
			Language: cmp.Or(in.Body.Language, domain.English), Rights: rights, At: call.At,
		})
	})
}
