package runner

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
)

// Quarantined is a stream that stopped at an event which could not be applied.
type Quarantined struct {
	Projection string
	Version    int
	Live       bool // the build that requests read; otherwise one that is being filled
	Stream     string
	Business   string
	EventID    uuid.UUID // the poisoned event
	EventType  string
	Revision   uint64
	Position   eventstore.Position
	Held       int // events held back, the poisoned one too
	Error      string
	Attempts   int
	Since      time.Time
	TriedAt    time.Time
	Retrying   bool // another attempt has been asked for and not been made yet
}

// ListQuarantined lists the quarantined streams of a projection, or of all for
// an empty name, oldest first, at most limit of them.
func ListQuarantined(ctx context.Context, pool *pgxpool.Pool, projection string, limit int) ([]Quarantined, error) {
	return nil, errors.New("runner: not there yet")
}

// Retry asks the leader to apply what a stream holds back, in order; it does so
// within about a second. An empty stream means all of the projection's. It
// returns how many streams will be tried.
func Retry(ctx context.Context, pool *pgxpool.Pool, projection, stream string) (int, error) {
	return 0, errors.New("runner: not there yet")
}
