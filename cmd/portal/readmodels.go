package main

import (
	"portal.example/projections/businesses"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/quotes"
	"portal.example/projections/requests"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

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
