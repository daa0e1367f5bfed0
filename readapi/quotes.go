package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/quotes"
)

// Quote is a quote as lists show it: to staff the version that they work on, to
// the customer the one that they hold.
type Quote struct {
	ID            string     `json:"id"`
	CustomerID    string     `json:"customerId"`
	PropertyID    string     `json:"propertyId,omitempty"`
	UnitID        string     `json:"unitId,omitempty"`
	RequestID     string     `json:"requestId,omitempty" doc:"that it answers"`
	Reference     string     `json:"reference" example:"Q-1042"`
	Status        string     `json:"status" enum:"draft,open,in-change,declined,approved,expired"`
	Expired       bool       `json:"expired" doc:"the version that the customer holds can no longer be approved"`
	Version       int        `json:"version"`
	HeldVersion   int        `json:"heldVersion,omitempty" doc:"that the customer holds; absent before it was sent"`
	Title         string     `json:"title"`
	Total         Money      `json:"total" doc:"without the optional lines"`
	ApprovedTotal *Money     `json:"approvedTotal,omitempty" doc:"with the options that were taken"`
	OpenQuestions int        `json:"openQuestions" doc:"that nobody has answered"`
	ExpiresAt     *time.Time `json:"expiresAt,omitempty"`
	DraftedAt     time.Time  `json:"draftedAt"`
	SentAt        *time.Time `json:"sentAt,omitempty" doc:"for the first time"`
	ViewedAt      *time.Time `json:"viewedAt,omitempty" doc:"by the customer, for the first time; staff do not count"`
	LastViewedAt  *time.Time `json:"lastViewedAt,omitempty"`
	ApprovedAt    *time.Time `json:"approvedAt,omitempty"`
	DeclinedAt    *time.Time `json:"declinedAt,omitempty"`
}

// QuoteRecord is a quote with what it says.
type QuoteRecord struct {
	Quote
	Offer     quotes.Offer      `json:"offer"`
	HeldOffer *quotes.Offer     `json:"heldOffer,omitempty" doc:"that the customer holds, where staff work on another"`
	Questions []quotes.Question `json:"questions,omitempty"`
	Wishes    []quotes.Wish     `json:"wishes,omitempty" doc:"changes that the customer asked for"`
	Approval  *quotes.Approval  `json:"approval,omitempty"`
	Declined  *quotes.Wish      `json:"declined,omitempty"`
}

// quoteRow is a quote as its table has it.
type quoteRow struct {
	QuoteID, CustomerID, PropertyID, UnitID, RequestID string
	Reference, Status, Currency                        string
	Version                                            int
	Title                                              string
	Total                                              int64
	Held                                               int
	HeldTitle                                          string
	HeldTotal                                          int64
	ApprovedTotal                                      *int64
	OpenQuestions                                      int
	ExpiresAt                                          *time.Time
	DraftedAt                                          time.Time
	SentAt, ViewedAt, LastViewedAt                     *time.Time
	ApprovedAt, DeclinedAt                             *time.Time
	Details                                            *quotes.Details
}

const selectQuotes = `
	SELECT q.quote_id, q.customer_id, q.property_id, q.unit_id, q.request_id, q.reference, q.status, q.currency,
	       q.version, q.title, q.total, q.held, q.held_title, q.held_total, q.approved_total, q.open_questions,
	       q.expires_at, q.drafted_at, q.sent_at, q.viewed_at, q.last_viewed_at, q.approved_at, q.declined_at, `

func (r quoteRow) quote(who api.Principal, now time.Time) Quote {
	q := Quote{
		ID: r.QuoteID, CustomerID: r.CustomerID, PropertyID: r.PropertyID, UnitID: r.UnitID, RequestID: r.RequestID,
		Reference: r.Reference, Status: r.Status, Expired: r.ExpiresAt != nil && now.After(*r.ExpiresAt),
		Version: r.Version, HeldVersion: r.Held, Title: r.Title, Total: Money{r.Total, r.Currency},
		ApprovedTotal: optionalMoney(r.ApprovedTotal, r.Currency), OpenQuestions: r.OpenQuestions, ExpiresAt: r.ExpiresAt,
		DraftedAt: r.DraftedAt, SentAt: r.SentAt, ViewedAt: r.ViewedAt, LastViewedAt: r.LastViewedAt,
		ApprovedAt: r.ApprovedAt, DeclinedAt: r.DeclinedAt,
	}
	if who.IsCustomer() {
		q.Version, q.Title, q.Total = r.Held, r.HeldTitle, Money{r.HeldTotal, r.Currency}
	}
	return q
}

func (r quoteRow) record(who api.Principal, now time.Time) QuoteRecord {
	record := QuoteRecord{
		Quote: r.quote(who, now), Offer: r.Details.Current, Questions: r.Details.Questions, Wishes: r.Details.Wishes,
		Approval: r.Details.Approval, Declined: r.Details.Declined,
	}
	if held := r.Details.Held; held != nil {
		if who.IsCustomer() {
			record.Offer = *held
		} else if held.Version != r.Version {
			record.HeldOffer = held
		}
	}
	return record
}

type quotesInput struct {
	api.Waiting
	Page
	Search   string `query:"q" maxLength:"100" doc:"part of the reference or the title"`
	Customer string `query:"customer" maxLength:"36"`
	Request  string `query:"request" maxLength:"36" doc:"that it answers"`
	Status   string `query:"status" enum:"draft,open,in-change,declined,approved,expired"`
	Asked    bool   `query:"asked" doc:"only those with a question that nobody has answered"`
}

func registerQuotes(a huma.API, d Deps) {
	huma.Register(a, get(a, "list-quotes", "/quotes", "List quotes, the newest first", everybody), d.listQuotes)
	huma.Register(a, get(a, "get-quote", "/quotes/{id}",
		"Show a quote; that a customer looks at it is recorded first", everybody), d.getQuote)
}

// onlyQuotes keeps from customers what they do not hold yet.
func (q *query) onlyQuotes(who api.Principal) {
	q.only(who, "q", seeBilling)
	if who.IsCustomer() {
		q.and("q.held > 0")
	}
}

func (d Deps) listQuotes(ctx context.Context, in *quotesInput) (*List[Quote], error) {
	after, err := in.after("quotes")
	if err != nil {
		return nil, err
	}
	var found []quoteRow
	var who api.Principal
	asOf, err := d.read(ctx, in.Waiting, []string{"quotes"}, func(r *reader) error {
		who = r.who
		title := "q.title"
		if who.IsCustomer() {
			title = "q.held_title"
		}
		var q query
		q.onlyQuotes(who)
		q.search(in.Search, "q.reference", title)
		q.equal("q.customer_id", in.Customer)
		q.equal("q.request_id", in.Request)
		q.equal("q.status", in.Status)
		if in.Asked {
			q.and("q.open_questions > 0")
		}
		q.newest(after, "q.drafted_at", "q.quote_id")
		sql, args := q.sql(selectQuotes+"NULL AS details FROM quotes q", "q.drafted_at DESC, q.quote_id DESC", in.Limit)
		r.queue(records(&found), sql, args...)
		return nil
	})
	items := make([]Quote, len(found))
	for i, row := range found {
		items[i] = row.quote(who, d.Now())
	}
	end := func(q Quote) place { return place{List: "quotes", At: q.DraftedAt, ID: q.ID} }
	return &List[Quote]{asOf, cut(items, in.Limit, end)}, err
}

func (d Deps) getQuote(ctx context.Context, in *ByID) (*versioned[QuoteRecord], error) {
	var found *quoteRow
	var who api.Principal
	asOf, err := d.read(ctx, in.Waiting, []string{"quotes"}, func(r *reader) error {
		who = r.who
		var q query
		q.and("q.quote_id = ?", in.ID)
		q.onlyQuotes(who)
		sql, args := q.sql(selectQuotes+"q.details FROM quotes q", "q.quote_id", 1)
		r.queue(record(&found), sql, args...)
		return nil
	})
	if err == nil && found == nil {
		err = notFound("quote")
	}
	if err != nil {
		return nil, err
	}
	body := found.record(who, d.Now())
	if err := d.viewed(ctx, in.ID, body.Version, d.Views.QuoteViewed); err != nil {
		return nil, err
	}
	return &versioned[QuoteRecord]{asOf, api.ETag(body.Version), body}, nil
}
