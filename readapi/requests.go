package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/requests"
)

// Request is a request as lists show it.
type Request struct {
	ID           string     `json:"id" db:"request_id"`
	CustomerID   string     `json:"customerId"`
	ContactID    string     `json:"contactId,omitempty" doc:"who filed it in the portal"`
	PropertyID   string     `json:"propertyId,omitempty"`
	UnitID       string     `json:"unitId,omitempty"`
	Kind         string     `json:"kind" enum:"lead,work-order"`
	Channel      string     `json:"channel" doc:"portal, or what the business calls another way in"`
	Reference    string     `json:"reference,omitempty"`
	Subject      string     `json:"subject"`
	Status       string     `json:"status" enum:"filed,asked-back,accepted,declined"`
	Handler      string     `json:"handler,omitempty" doc:"who took the latest step"`
	Team         string     `json:"team,omitempty"`
	Version      int        `json:"version"`
	Deadline     *time.Time `json:"deadline,omitempty" doc:"by when an answer was promised"`
	FiledAt      time.Time  `json:"filedAt"`
	WaitingSince *time.Time `json:"waitingSince,omitempty" doc:"it is the business's turn since then"`
	DecidedAt    *time.Time `json:"decidedAt,omitempty"`
}

// RequestRecord is a request with all that was said about it.
type RequestRecord struct {
	Request
	requests.Details
	Steps []Step `json:"steps,omitempty" doc:"that staff took towards an answer"`
}

// Step is a step of staff towards an answer, which the customer does not see.
type Step struct {
	Step    string    `json:"step"`
	Handler string    `json:"handler,omitempty"`
	Team    string    `json:"team,omitempty"`
	At      time.Time `json:"at" db:"taken_at"`
}

// requestRow is a request with its details.
type requestRow struct {
	Request
	Details *requests.Details
}

const selectRequests = `
	SELECT q.request_id, q.customer_id, q.contact_id, q.property_id, q.unit_id, q.kind, q.channel, q.reference, q.subject,
	       q.status, q.handler, q.team, q.version, q.deadline, q.filed_at, q.waiting_since, q.decided_at`

const selectSteps = `SELECT step, handler, team, taken_at FROM request_steps WHERE request_id = $1 ORDER BY _revision`

type requestsInput struct {
	api.Waiting
	Page
	Search   string `query:"q" maxLength:"100" doc:"part of the subject or the reference"`
	Customer string `query:"customer" maxLength:"36"`
	Status   string `query:"status" enum:"filed,asked-back,accepted,declined"`
	Kind     string `query:"kind" enum:"lead,work-order"`
	Channel  string `query:"channel" maxLength:"200"`
	Pending  bool   `query:"waiting" doc:"only those for which it is the business's turn"`
}

func registerRequests(a huma.API, d Deps) {
	huma.Register(a, get(a, "list-requests", "/requests", "List requests, the newest first", everybody), d.listRequests)
	huma.Register(a, get(a, "get-request", "/requests/{id}", "Show a request", everybody), d.getRequest)
}

func (d Deps) listRequests(ctx context.Context, in *requestsInput) (*List[Request], error) {
	after, err := in.after("requests")
	if err != nil {
		return nil, err
	}
	var found []Request
	var who api.Principal
	asOf, err := d.read(ctx, in.Waiting, []string{"requests"}, func(r *reader) error {
		who = r.who
		var q query
		q.only(who, "q", seeService)
		q.search(in.Search, "q.subject", "q.reference")
		q.equal("q.customer_id", in.Customer)
		q.equal("q.status", in.Status)
		q.equal("q.kind", in.Kind)
		q.equal("q.channel", in.Channel)
		if in.Pending {
			q.and("q.waiting_since IS NOT NULL")
		}
		q.newest(after, "q.filed_at", "q.request_id")
		sql, args := q.sql(selectRequests+" FROM requests q", "q.filed_at DESC, q.request_id DESC", in.Limit)
		r.queue(records(&found), sql, args...)
		return nil
	})
	for i := range found {
		found[i] = found[i].to(who)
	}
	end := func(r Request) place { return place{List: "requests", At: r.FiledAt, ID: r.ID} }
	return &List[Request]{asOf, cut(found, in.Limit, end)}, err
}

// to leaves out what is the business's own: who is at work on it.
func (r Request) to(who api.Principal) Request {
	if who.IsCustomer() {
		r.Handler, r.Team = "", ""
	}
	return r
}

func (d Deps) getRequest(ctx context.Context, in *ByID) (*versioned[RequestRecord], error) {
	var found *requestRow
	var steps []Step
	var who api.Principal
	asOf, err := d.read(ctx, in.Waiting, []string{"requests"}, func(r *reader) error {
		who = r.who
		var q query
		q.and("q.request_id = ?", in.ID)
		q.only(who, "q", seeService)
		sql, args := q.sql(selectRequests+", q.details FROM requests q", "q.request_id", 1)
		r.queue(record(&found), sql, args...)
		if !who.IsCustomer() && plain(in.ID) {
			r.queue(records(&steps), selectSteps, in.ID)
		}
		return nil
	})
	if err == nil && found == nil {
		err = notFound("request")
	}
	if err != nil {
		return nil, err
	}
	body := RequestRecord{found.Request.to(who), *found.Details, steps}
	return &versioned[RequestRecord]{asOf, api.ETag(body.Version), body}, nil
}
