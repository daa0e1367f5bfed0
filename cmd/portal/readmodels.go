package main

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/projections/businesses"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/quotes"
	"portal.example/projections/requests"
	"portal.example/projections/runner"
	"portal.example/projections/sqlprojection"
	"portal.example/projections/timeline"
)

// known is a runner that does not run: it knows the projections, those that were
// written in SQL too, for commands that ask what there is or want something done.
func known(pool *pgxpool.Pool) *runner.Runner {
	catalog := &sqlprojection.Catalog{Pool: pool, Logger: slog.New(slog.DiscardHandler)}
	return runner.New(runner.Config{Pool: pool, Projections: projections(), Discover: catalog.Discover})
}

// projections are the read models: a new one is a folder and a line here.
func projections() []runner.Projection {
	return []runner.Projection{
		businesses.Projection{},
		customers.Projection{},
		quotes.Projection{},
		invoices.Projection{},
		requests.Projection{},
		timeline.Projection{},
	}
}
