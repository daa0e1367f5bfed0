package customers

import (
	"cmp"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/internal/api"
)

type addInput struct {
	api.Idempotent
	Body struct {
		Reference string `json:"reference,omitempty" doc:"The customer's number in another system"`
		Name      string `json:"name"`
		Language  string `json:"language,omitempty" enum:"en,ja" doc:"en by default"`
	}
}

func add(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "customers.add", "/customers", "Add a customer", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *addInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "customers.add", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("customer")
		result, err := room.Customers.Execute(ctx, customer.Stream(id), call.Metadata, customer.Add{
			CustomerID: id, BusinessID: call.Who.Business,
			Reference: in.Body.Reference, Name: in.Body.Name, Language: cmp.Or(in.Body.Language, domain.English), At: call.At,
		})
		if err != nil {
			return nil, err
		}
		return commands.Done(id, result), nil
	})
}
