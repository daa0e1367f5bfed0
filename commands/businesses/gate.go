package businesses

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/business"
	"portal.example/internal/api"
)

// ErrClosed keeps customers out while the business has its portal closed.
var ErrClosed = &domain.Error{Kind: domain.Forbidden, Code: "portal_closed", Message: "the business has closed its portal"}

const (
	// gateAge is how long after the portal was closed a customer may still get in.
	gateAge = 2 * time.Second
	// gatePatience bounds what asking the log may cost a request.
	gatePatience = 500 * time.Millisecond
	maxGates     = 1_000
)

// Gate is an api.Authenticator that lets a customer in only while the portal of
// their business is open. Staff always get in. While the log is away it goes by
// what it knew last: what a customer may read does not hang on the log.
type Gate struct {
	tokens api.Authenticator
	room   *commands.Room
	known  *lru.Cache[string, gateState]
}

type gateState struct {
	closed bool
	until  time.Time
}

// NewGate puts a gate before those whom tokens lets in.
func NewGate(tokens api.Authenticator, room *commands.Room) (*Gate, error) {
	known, err := lru.New[string, gateState](maxGates)
	if err != nil {
		return nil, fmt.Errorf("businesses: %w", err)
	}
	return &Gate{tokens: tokens, room: room, known: known}, nil
}

// Authenticate implements api.Authenticator.
func (g *Gate) Authenticate(ctx context.Context, token string) (api.Principal, error) {
	who, err := g.tokens.Authenticate(ctx, token)
	if err != nil || !who.IsCustomer() {
		return who, err
	}
	if g.closed(ctx, who.Business) {
		return api.Principal{}, ErrClosed
	}
	return who, nil
}

func (g *Gate) closed(ctx context.Context, id string) bool {
	now := g.room.Now()
	last, found := g.known.Get(id)
	if found && now.Before(last.until) {
		return last.closed
	}
	ctx, cancel := context.WithTimeout(ctx, gatePatience)
	defer cancel()
	state, err := commands.Look(ctx, g.room.Businesses, business.Stream(id))
	if err == nil {
		last.closed = state.ID != "" && !state.Open
	}
	g.known.Add(id, gateState{closed: last.closed, until: now.Add(gateAge)})
	return last.closed
}
