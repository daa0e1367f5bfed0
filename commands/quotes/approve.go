package quotes

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain/quote"
	"portal.example/internal/api"
)

type approveInput struct {
	ID string `path:"id" maxLength:"36"`
	api.Idempotent
	Body struct {
		Version        int      `json:"version" doc:"That the customer holds"`
		Options        []string `json:"options,omitempty" maxItems:"200" doc:"ids of the optional lines taken"`
		SignedName     string   `json:"signedName" doc:"As typed"`
		ConsentVersion string   `json:"consentVersion" doc:"Of the text agreed to"`
	}
}

func approve(a huma.API, room *commands.Room) {
	op := commands.Route(a, "quotes.approve", "/quotes/{id}/approve", "Agree to a version and sign it", commands.Customers)
	op.Description = "A version that was replaced is refused with what has changed since."
	huma.Register(a, op, func(ctx context.Context, in *approveInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, "quotes.approve", in.Idempotent)
		if err != nil {
			return nil, err
		}
		return customerRun(ctx, room, call, in.ID, in.ID, quote.Approve{
			Visit: call.Visit(), Version: in.Body.Version, Options: in.Body.Options,
			SignedName: in.Body.SignedName, ConsentVersion: in.Body.ConsentVersion,
		})
	})
}
