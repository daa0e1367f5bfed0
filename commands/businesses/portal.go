package businesses

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/business"
	"portal.example/internal/api"
)

// Routes adds the use cases of the business itself to the API.
func Routes(a huma.API, room *commands.Room) {
	owners := []api.Role{api.Owner}
	huma.Register(a, commands.Route(a, "business.open-portal", "/business/open-portal", "Let customers in", owners),
		switchPortal(room, "business.open-portal", func(c commands.Call) decider { return business.OpenPortal{At: c.At} }))
	huma.Register(a, commands.Route(a, "business.close-portal", "/business/close-portal", "Keep customers out", owners),
		switchPortal(room, "business.close-portal", func(c commands.Call) decider { return business.ClosePortal{At: c.At} }))
}

type decider = domain.Decider[business.State, business.Event]

type switchInput struct {
	api.Idempotent
}

func switchPortal(
	room *commands.Room, operation string, command func(commands.Call) decider,
) func(context.Context, *switchInput) (*commands.Answer, error) {
	return func(ctx context.Context, in *switchInput) (*commands.Answer, error) {
		call, err := room.Begin(ctx, operation, in.Idempotent)
		if err != nil {
			return nil, err
		}
		id := call.Who.Business
		result, err := room.Businesses.Execute(ctx, business.Stream(id), call.Metadata, command(call))
		if err != nil {
			return nil, err
		}
		return commands.Done(id, result), nil
	}
}
