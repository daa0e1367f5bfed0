package commands

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/domain"
	"portal.example/eventstore"
	"portal.example/internal/api"
)

// Office are the roles that run the business day by day.
var Office = []api.Role{api.Owner, api.Office}

// Field are the roles that also do the work itself.
var Field = []api.Role{api.Owner, api.Office, api.Technician}

// Customers is the customer's own side.
var Customers = []api.Role{api.Customer}

// Route is the route of a use case that changes a record. The name is the use
// case's, as the log has it.
func Route(a huma.API, name, path, summary string, roles []api.Role) huma.Operation {
	capability, _, _ := strings.Cut(name, ".")
	return huma.Operation{
		OperationID: strings.ReplaceAll(name, ".", "-"),
		Method:      http.MethodPost, Path: "/api/v1" + path,
		Summary: summary, Tags: []string{capability},
		MaxBodyBytes: api.MaxBody + 1, // what is above api.MaxBody is refused while it is read
		Middlewares:  api.Allow(a, roles...),
	}
}

// Creating is the route of a use case that makes a record.
func Creating(a huma.API, name, path, summary string, roles []api.Role) huma.Operation {
	op := Route(a, name, path, summary, roles)
	op.DefaultStatus = http.StatusCreated
	return op
}

// OnRecord is the input of a use case about one record, beside its body.
type OnRecord struct {
	ID string `path:"id" maxLength:"36" doc:"id of the record"`
	api.Idempotent
	api.Conditional
}

// Headers are what every command answers beside its body.
type Headers struct {
	Position string `header:"Portal-Position" doc:"Send it back to read what this command did"`
	ETag     string `header:"ETag" doc:"Version of the document, for If-Match"`
}

// Answer is what most commands answer.
type Answer struct {
	Headers
	Body Made
}

// Made says what a command made or changed.
type Made struct {
	ID      string `json:"id" doc:"of the record, or of the part of it that was made"`
	Version int    `json:"version" doc:"of the document, as in the ETag"`
}

// Done is the answer to a command that was carried out.
func Done[S domain.Versioned, E any](id string, r eventstore.Result[S, E]) *Answer {
	version := r.State.DocumentVersion()
	return &Answer{Headers: HeadersOf(r.Position, version), Body: Made{ID: id, Version: version}}
}

// HeadersOf makes the headers.
func HeadersOf(position eventstore.Position, version int) Headers {
	return Headers{Position: position.String(), ETag: api.ETag(version)}
}

// IfMatch is the command, refused with 412 where the request names a version
// and the document has another.
func IfMatch[S domain.Versioned, E any](in api.Conditional, then domain.Decider[S, E]) (domain.Decider[S, E], error) {
	version, named, err := in.Version()
	if err != nil || !named {
		return then, err
	}
	return domain.IfMatch[S, E](version, then), nil
}

// MustMatch is IfMatch for a change that must not be made blindly: 428 where the
// request names no version.
func MustMatch[S domain.Versioned, E any](in api.Conditional, then domain.Decider[S, E]) (domain.Decider[S, E], error) {
	version, err := in.RequiredVersion()
	if err != nil {
		return nil, err
	}
	return domain.IfMatch[S, E](version, then), nil
}
