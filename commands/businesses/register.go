// Package businesses is what can be done with a business.
package businesses

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"portal.example/commands"
	"portal.example/domain/business"
	"portal.example/domain/claim"
	"portal.example/domain/money"
	"portal.example/eventstore"
)

// Registration is a business that wants to use the portal.
type Registration struct {
	Slug     string
	Name     string
	Currency money.Currency
	TimeZone *time.Location
	Language string
}

// Check refuses a registration that is not well formed.
func (r Registration) Check() error {
	_, err := r.command(uuid.NewString(), time.Unix(0, 0)).Decide(business.State{})
	return err
}

func (r Registration) command(id string, at time.Time) business.Register {
	return business.Register{
		BusinessID: id, Slug: r.Slug, Name: r.Name, Currency: r.Currency,
		TimeZone: r.TimeZone, Language: r.Language, At: at,
	}
}

// Register claims the slug and starts the business, whose id it returns. The
// slug resolves from then on. A slug whose owner never came to be, because an
// earlier attempt was interrupted, is taken over together with the owner's id.
func Register(ctx context.Context, room *commands.Room, r Registration) (id string, err error) {
	if err := r.Check(); err != nil {
		return "", err // before anything is claimed
	}
	at := room.Now().UTC().Truncate(time.Microsecond)
	if id, err = claimSlug(ctx, room, r.Slug, uuid.NewString(), at); err != nil {
		return "", err
	}
	m := systemCommand(room, id, "business.register")
	_, err = room.Businesses.Execute(ctx, business.Stream(id), m, r.command(id, at))
	if errors.Is(err, business.ErrExists) {
		return "", claim.ErrTaken.In("slug")
	}
	return id, err
}

// claimSlug returns the id of the business that the slug is for now.
func claimSlug(ctx context.Context, room *commands.Room, slug, id string, at time.Time) (string, error) {
	take := claim.Take{Kind: claim.Slug, Owner: id, At: at}
	_, err := room.Claims.Execute(ctx, claim.Stream(claim.Slug, slug), systemCommand(room, id, "business.claim-slug"), take)
	if !errors.Is(err, claim.ErrTaken) {
		return id, err
	}
	return Resolve(ctx, room.Store, slug)
}

// ErrUnknown is returned for a slug that nobody has claimed.
var ErrUnknown = errors.New("no such business")

// Resolve is the id of the business that has the slug.
func Resolve(ctx context.Context, store *commands.Store, slug string) (string, error) {
	state, err := commands.Look(ctx, store.Claims, claim.Stream(claim.Slug, slug))
	if err != nil {
		return "", err
	}
	if state.Owner == "" {
		return "", fmt.Errorf("%w as %.70q", ErrUnknown, slug)
	}
	return state.Owner, nil
}

// systemCommand is an attempt of its own each time: what may be repeated is for
// the decisions to say.
func systemCommand(room *commands.Room, id, operation string) eventstore.Metadata {
	return eventstore.Metadata{
		CommandID: uuid.New(), Business: id, Operation: operation,
		Actor:  eventstore.Actor{Kind: eventstore.ActorSystem},
		Origin: eventstore.OriginLive, RecordedAt: room.Now(),
	}
}
