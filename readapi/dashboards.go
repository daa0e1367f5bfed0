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
	Currency string `query:"currency" pattern:"^[A-Z]{3}$" doc:"the business's by default"`
}

type funnelInput struct {
	MoneyInput
	From  time.Time `query:"from" doc:"drafted then or later"`
	Until time.Time `query:"to" doc:"drafted before then"`
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

func (d Deps) money(ctx context.Context, in *MoneyInput) (*dashboard[MoneyDashboard], error) {
	var body MoneyDashboard
	asOf, err := d.read(ctx, in.Waiting, []string{"invoices"}, func(r *reader) error {
		currency, today, err := d.settings(ctx, r, in.Currency)
		if err != nil {
			return err
		}
		tx, err := r.tx(ctx)
		if err != nil {
			return err
		}
		m, err := dashboards.OfMoney(ctx, tx, currency, today)
		if err != nil {
			return err
		}
		money := func(amount int64) Money { return Money{amount, currency} }
		body = MoneyDashboard{
			Invoices: m.Invoices, PaidInFull: m.PaidInFull, PartPaid: m.PartPaid,
			Billed: money(m.Billed), Paid: money(m.Paid), Credit: money(m.Credit), Outstanding: money(m.Outstanding),
		}
		for _, age := range m.ByAge {
			body.ByAge = append(body.ByAge, Age{age.OverdueFrom, age.Invoices, money(age.Outstanding)})
		}
		return nil
	})
	return &dashboard[MoneyDashboard]{asOf, body}, err
}

// settings are the currency asked for or else the business's, and the day that
// it is there.
func (d Deps) settings(ctx context.Context, r *reader, currency string) (string, time.Time, error) {
	var business *struct{ Currency, TimeZone string }
	r.queue(record(&business), `SELECT currency, time_zone FROM businesses`)
	if err := r.flush(ctx); err != nil {
		return "", time.Time{}, err
	}
	if business == nil {
		return "", time.Time{}, notFound("business yet")
	}
	zone, err := zoneNamed(business.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	if currency == "" {
		currency = business.Currency
	}
	year, month, day := d.Now().In(zone).Date()
	return currency, time.Date(year, month, day, 0, 0, 0, 0, time.UTC), nil
}

// farFuture is after everything that is recorded.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (d Deps) quotes(ctx context.Context, in *funnelInput) (*dashboard[QuotesDashboard], error) {
	if in.Until.IsZero() {
		in.Until = farFuture
	}
	var body QuotesDashboard
	asOf, err := d.read(ctx, in.Waiting, []string{"quotes"}, func(r *reader) error {
		currency, _, err := d.settings(ctx, r, in.Currency)
		if err != nil {
			return err
		}
		tx, err := r.tx(ctx)
		if err != nil {
			return err
		}
		q, err := dashboards.OfQuotes(ctx, tx, currency, in.From, in.Until, d.Now())
		body = QuotesDashboard{
			Drafted: q.Drafted, Sent: q.Sent, Viewed: q.Viewed, Approved: q.Approved, Declined: q.Declined,
			Draft: q.Draft, Open: q.Open, InChange: q.InChange, Expired: q.Expired, OpenQuestions: q.OpenQuestions,
			ApprovedTotal: Money{q.ApprovedTotal, currency}, OpenTotal: Money{q.OpenTotal, currency},
		}
		return err
	})
	return &dashboard[QuotesDashboard]{asOf, body}, err
}

func (d Deps) requests(ctx context.Context, in *struct{ api.Waiting }) (*dashboard[RequestsDashboard], error) {
	var body RequestsDashboard
	asOf, err := d.read(ctx, in.Waiting, []string{"requests"}, func(r *reader) error {
		tx, err := r.tx(ctx)
		if err != nil {
			return err
		}
		q, err := dashboards.OfRequests(ctx, tx, d.Now())
		body = RequestsDashboard{
			Waiting: q.Waiting, OldestSince: q.OldestSince, Overdue: q.Overdue, AskedBack: q.AskedBack,
			Accepted: q.Accepted, Declined: q.Declined, MedianDecision: q.MedianDecision, ByWait: []Wait{},
		}
		for _, wait := range q.ByWait {
			body.ByWait = append(body.ByWait, Wait{wait.FromDays, wait.Requests})
		}
		return err
	})
	return &dashboard[RequestsDashboard]{asOf, body}, err
}
