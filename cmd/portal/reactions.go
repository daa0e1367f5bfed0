package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portal.example/commands/quotes"
	"portal.example/internal/reactions"
)

// prepareLimit is how long a start waits for the log to make the groups of new
// reactions. Where it is away they are made when it comes back.
const prepareLimit = 3 * time.Second

// newReactor is all that the portal does by itself when something has happened.
func newReactor(ctx context.Context, p *portal, logger *slog.Logger, metrics prometheus.Registerer) (*reactions.Reactor, error) {
	reactor, err := reactions.New(ctx, reactions.Config{
		Client: p.log, Pool: p.pool, Logger: logger, Registerer: metrics,
		Now: func() time.Time { return p.room.Now() },
		Reactions: slices.Concat(
			quotes.Reactions(p.room),
		),
	})
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	if err := reactor.Prepare(bounded); err != nil {
		logger.WarnContext(ctx, "reactions that are new will miss what happens until the log is there", "error", err)
	}
	return reactor, nil
}
