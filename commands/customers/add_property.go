package customers

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/customer"
)

type addPropertyInput struct {
	commands.OnRecord
	Body struct {
		Name    string `json:"name"`
		Address string `json:"address,omitempty" doc:"As written on an envelope, in several lines"`
	}
}

func addProperty(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "customers.add-property", "/customers/{id}/properties", "Add a place where work is done", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *addPropertyInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "customers.add-property", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("property of " + in.ID)
		return run(ctx, room, call, in.OnRecord, id, customer.AddProperty{
			PropertyID: id, Name: in.Body.Name, Address: in.Body.Address, At: call.At,
		})
	})
}
