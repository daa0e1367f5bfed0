package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/dashboards"
)

// MoneyDashboard is what is billed, paid and outstanding in one currency.
type MoneyDashboard struct {
	Invoices    int64 `json:"invoices" doc:"issued and not void"`
	PaidInFull  int64 `json:"paid_in_full"`
	PartPaid    int64 `json:"part_paid"`
	Billed      Money `json:"billed"`
	Paid        Money `json:"paid" doc:"all that was received, surplus included"`
	Credit      Money `json:"credit" doc:"the surplus"`
	Outstanding Money `json:"outstanding" doc:"billed - paid + credit"`
	ByAge       []Age `json:"by_age" nullable:"false"`
}

// Age is what is outstanding of invoices due in a span of days.
type Age struct {
	OverdueFrom int   `json:"overdue_from_days" doc:"days after the due date, up to the next span's; -1 is what is not overdue yet"`
	Invoices    int64 `json:"invoices"`
	Outstanding Money `json:"outstanding"`
}

// QuotesDashboard is how far the quotes drafted in a span of time have come.
type QuotesDashboard struct {
	Drafted       int64 `json:"drafted"`
	Sent          int64 `json:"sent" doc:"of those drafted; so with viewed, approved and declined"`
	Viewed        int64 `json:"viewed"`
	Approved      int64 `json:"approved"`
	Declined      int64 `json:"declined"`
	Draft         int64 `json:"draft" doc:"standing there now; so with open, in_change and expired"`
	Open          int64 `json:"open"`
	InChange      int64 `json:"in_change"`
	Expired       int64 `json:"expired"`
	ApprovedTotal Money `json:"approved_total"`
	OpenTotal     Money `json:"open_total"`
	OpenQuestions int64 `json:"open_questions"`
}

// RequestsDashboard is who waits for the business, and for how long.
type RequestsDashboard struct {
	Waiting        int64      `json:"waiting"`
	OldestSince    *time.Time `json:"oldest_since,omitempty"`
	Overdue        int64      `json:"overdue" doc:"waiting past the deadline that was promised"`
	AskedBack      int64      `json:"asked_back" doc:"it is the customer's turn"`
	Accepted       int64      `json:"accepted"`
	Declined       int64      `json:"declined"`
	MedianDecision *float64   `json:"median_decision_seconds,omitempty" doc:"from filing to the decision"`
	ByWait         []Wait     `json:"by_wait" nullable:"false"`
}

// Wait is how many have waited for a span of days.
type Wait struct {
	FromDays int   `json:"from_days" doc:"up to the next span's"`
	Requests int64 `json:"requests"`
}

type MoneyInput struct {
	api.Waiting
	Past
	Currency string `query:"currency" pattern:"^[A-Z]{3}$" doc:"the business's by default"`
}

type funnelInput struct {
	MoneyInput
	From  time.Time `query:"from" doc:"drafted then or later"`
	Until time.Time `query:"to" doc:"drafted before then"`
}

type waitsInput struct {
	api.Waiting
	Past
}

type dashboard[T any] struct {
	api.AsOf
	Body T
}

func registerDashboards(a huma.API, d Deps) {
	huma.Register(a, get(a, "get-money-dashboard", "/dashboards/money", "Show what is billed, paid and outstanding", staff), d.money)
	huma.Register(a, get(a, "get-quotes-dashboard", "/dashboards/quotes", "Show how far quotes have come", staff), d.quotes)
	huma.Register(a, get(a, "get-requests-dashboard", "/dashboards/requests", "Show who waits, and for how long", staff), d.requests)
}

func (d Deps) money(ctx context.Context, in *MoneyInput) (out *dashboard[MoneyDashboard], err error) {
	out = &dashboard[MoneyDashboard]{}
	out.AsOf, err = d.figures(ctx, in.Waiting, in.Past, "invoices", func(r *reader, now time.Time) (err error) {
		out.Body, err = moneyAt(ctx, r, in.Currency, now)
		return err
	})
	return out, err
}

func moneyAt(ctx context.Context, r *reader, currency string, now time.Time) (MoneyDashboard, error) {
	currency, zone, err := settings(ctx, r, currency)
	if err != nil {
		return MoneyDashboard{}, err
	}
	tx, err := r.tx(ctx)
	if err != nil {
		return MoneyDashboard{}, err
	}
	m, err := dashboards.OfMoney(ctx, tx, currency, dayOf(now, zone))
	if err != nil {
		return MoneyDashboard{}, err
	}
	money := func(amount int64) Money { return Money{amount, currency} }
	body := MoneyDashboard{
		Invoices: m.Invoices, PaidInFull: m.PaidInFull, PartPaid: m.PartPaid,
		Billed: money(m.Billed), Paid: money(m.Paid), Credit: money(m.Credit), Outstanding: money(m.Outstanding),
	}
	for _, age := range m.ByAge {
		body.ByAge = append(body.ByAge, Age{age.OverdueFrom, age.Invoices, money(age.Outstanding)})
	}
	return body, nil
}

// settings are the currency asked for or else the business's, and its time zone.
func settings(ctx context.Context, r *reader, currency string) (string, *time.Location, error) {
	var business *struct{ Currency, TimeZone string }
	r.queue(record(&business), `SELECT currency, time_zone FROM businesses`)
	if err := r.flush(ctx); err != nil {
		return "", nil, err
	}
	if business == nil {
		return "", nil, notFound("business yet")
	}
	zone, err := zoneNamed(business.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	if currency == "" {
		currency = business.Currency
	}
	return currency, zone, nil
}

// dayOf is the day that it is then in the time zone.
func dayOf(now time.Time, zone *time.Location) time.Time {
	year, month, day := now.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// farFuture is after everything that is recorded.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (d Deps) quotes(ctx context.Context, in *funnelInput) (out *dashboard[QuotesDashboard], err error) {
	if in.Until.IsZero() {
		in.Until = farFuture
	}
	out = &dashboard[QuotesDashboard]{}
	out.AsOf, err = d.figures(ctx, in.Waiting, in.Past, "quotes", func(r *reader, now time.Time) (err error) {
		out.Body, err = quotesAt(ctx, r, in.Currency, in.From, in.Until, now)
		return err
	})
	return out, err
}

func quotesAt(ctx context.Context, r *reader, currency string, from, until, now time.Time) (QuotesDashboard, error) {
	currency, _, err := settings(ctx, r, currency)
	if err != nil {
		return QuotesDashboard{}, err
	}
	tx, err := r.tx(ctx)
	if err != nil {
		return QuotesDashboard{}, err
	}
	q, err := dashboards.OfQuotes(ctx, tx, currency, from, until, now)
	return QuotesDashboard{
		Drafted: q.Drafted, Sent: q.Sent, Viewed: q.Viewed, Approved: q.Approved, Declined: q.Declined,
		Draft: q.Draft, Open: q.Open, InChange: q.InChange, Expired: q.Expired, OpenQuestions: q.OpenQuestions,
		ApprovedTotal: Money{q.ApprovedTotal, currency}, OpenTotal: Money{q.OpenTotal, currency},
	}, err
}

func (d Deps) requests(ctx context.Context, in *waitsInput) (out *dashboard[RequestsDashboard], err error) {
	out = &dashboard[RequestsDashboard]{}
	out.AsOf, err = d.figures(ctx, in.Waiting, in.Past, "requests", func(r *reader, now time.Time) (err error) {
		out.Body, err = requestsAt(ctx, r, now)
		return err
	})
	return out, err
}

func requestsAt(ctx context.Context, r *reader, now time.Time) (RequestsDashboard, error) {
	tx, err := r.tx(ctx)
	if err != nil {
		return RequestsDashboard{}, err
	}
	q, err := dashboards.OfRequests(ctx, tx, now)
	body := RequestsDashboard{
		Waiting: q.Waiting, OldestSince: q.OldestSince, Overdue: q.Overdue, AskedBack: q.AskedBack,
		Accepted: q.Accepted, Declined: q.Declined, MedianDecision: q.MedianDecision, ByWait: []Wait{},
	}
	for _, wait := range q.ByWait {
		body.ByWait = append(body.ByWait, Wait{wait.FromDays, wait.Requests})
	}
	return body, err
}
