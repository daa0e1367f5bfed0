package customers

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/customer"
)

type addUnitInput struct {
	commands.OnRecord
	PropertyID string `path:"propertyId" maxLength:"36"`
	Body       struct {
		Name string `json:"name"`
	}
}

func addUnit(a huma.API, room *commands.Room) {
	op := commands.Creating(a, "customers.add-unit", "/customers/{id}/properties/{propertyId}/units", "Add a part of a property", commands.Office)
	huma.Register(a, op, func(ctx context.Context, in *addUnitInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "customers.add-unit", in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.NewID("unit of " + in.ID)
		return run(ctx, room, call, in.OnRecord, id, customer.AddUnit{
			PropertyID: in.PropertyID, UnitID: id, Name: in.Body.Name, At: call.At,
		})
	})
}
