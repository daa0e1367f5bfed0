// Package readapi answers GET: lists, single records, timelines and dashboards,
// all from the read models. Only two touch the log, each through a port: a look
// at a document, because looking is a fact, and the question where a row is from.
//
// Row-level security keeps businesses apart. What a customer's contact may see
// within the business stands in visible.go.
package readapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/internal/database"
	"portal.example/projections"
)

// ViewRecorder records that somebody has a version of a document before them, and
// fails where it is no longer the present one: a read model that lags behind must
// not put into the log what nobody saw.
type ViewRecorder interface {
	QuoteViewed(ctx context.Context, who api.Principal, quoteID string, version int) error
	InvoiceViewed(ctx context.Context, who api.Principal, invoiceID string, version int) error
}

// Deps are what the read side stands on. All of it is required but Logger, and
// Provenance and Tables, without which their routes are not there.
type Deps struct {
	Readers *database.Readers
	Runner  projections.Waiter
	Builds  Builds
	Views   ViewRecorder
	Now     func() time.Time
	Logger  *slog.Logger

	Provenance Provenance
	Tables     Tables
}

// Register adds the routes.
func Register(a huma.API, d Deps) {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	registerCustomers(a, d)
	registerQuotes(a, d)
	registerInvoices(a, d)
	registerRequests(a, d)
	registerTimelines(a, d)
	registerDashboards(a, d)
	registerExports(a, d)
	registerQuarantine(a, d)
	registerProvenance(a, d)
	registerProjections(a, d)
	registerTables(a, d)
}

// staff are the roles that see the whole business.
var staff = []api.Role{api.Owner, api.Office, api.Technician, api.Analyst, api.Auditor}

// everybody is staff and customers; these see what is theirs.
var everybody = api.Roles

func get(a huma.API, id, path, summary string, roles []api.Role) huma.Operation {
	capability, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: "/api/v1" + path,
		Summary: summary, Tags: []string{capability}, Middlewares: api.Allow(a, roles...),
	}
}

// Money is an amount in the minor units of its currency.
type Money struct {
	Amount   int64  `json:"amount" doc:"minor units"`
	Currency string `json:"currency" doc:"ISO 4217"`
}

// optionalMoney is nil where the column is null.
func optionalMoney(amount *int64, currency string) *Money {
	if amount == nil {
		return nil
	}
	return &Money{*amount, currency}
}
