package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/timeline"
)

// Entry is one event as the timeline tells it.
type Entry struct {
	ID         string        `json:"id" doc:"of the event"`
	Type       string        `json:"type" example:"QuoteViewed"`
	Sentence   string        `json:"sentence" example:"Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 3:42 PM CDT"`
	OccurredAt time.Time     `json:"occurredAt" doc:"when it happened"`
	RecordedAt time.Time     `json:"recordedAt" doc:"when the portal learnt it"`
	LocalTime  string        `json:"localTime" doc:"when it happened in the business's time zone, RFC 3339"`
	TimeZone   string        `json:"timeZone" example:"America/Chicago"`
	Actor      Actor         `json:"actor"`
	SignedInBy string        `json:"signedInBy,omitempty" doc:"how the actor had signed in"`
	Session    string        `json:"session,omitempty" doc:"for staff"`
	Origin     string        `json:"origin" enum:"live,import"`
	CustomerID string        `json:"customerId,omitempty"`
	Record     Record        `json:"record"`
	Args       timeline.Args `json:"args"`
	Revision   int64         `json:"revision" doc:"place in the record's stream"`
}

// Actor is who acted.
type Actor struct {
	Kind      string `json:"kind" enum:"contact,staff,staff-as-contact,integration,system"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	ActingFor string `json:"actingFor,omitempty" doc:"the contact through whose eyes staff look"`
}

// Record is what an entry is about.
type Record struct {
	Kind  string `json:"kind" example:"quote"`
	ID    string `json:"id"`
	Label string `json:"label,omitempty" example:"Q-1042"`
}

// entryRow is an entry as its table has it.
type entryRow struct {
	EventID, Type, ActorKind, ActorID, ActingFor, SessionID, SignedInBy string
	Origin, CustomerID, RecordKind, RecordID                            string
	OccurredAt, RecordedAt                                              time.Time
	Args                                                                timeline.Args
	Revision                                                            int64 `db:"_revision"`
	Position                                                            int64 `db:"_position"`
}

const selectEntries = `
	SELECT e.event_id::text, e.type, e.actor_kind, e.actor_id, e.acting_for, e.session_id, e.signed_in_by,
	       e.origin, e.customer_id, e.record_kind, e.record_id, e.occurred_at, e.recorded_at, e.args, e._revision, e._position
	FROM timeline e`

// Spoken is the input of routes that speak to their reader.
type Spoken struct {
	Lang           string `query:"lang" enum:"en,ja" doc:"language of the sentences; else that of Accept-Language, else the business's"`
	AcceptLanguage string `header:"Accept-Language" maxLength:"200"`
}

// Filters are the filters of timelines.
type Filters struct {
	Type  string    `query:"type" maxLength:"100" example:"QuoteViewed"`
	Actor string    `query:"actor" maxLength:"200" doc:"id of whoever acted"`
	From  time.Time `query:"from" doc:"happened then or later"`
	Until time.Time `query:"to" doc:"happened before then"`
}

type timelineInput struct {
	api.Waiting
	Page
	Spoken
	Filters
	Customer string `query:"customer" maxLength:"36"`
	Record   string `query:"record" maxLength:"36" doc:"id of a quote, an invoice, …"`
	Kind     string `query:"kind" maxLength:"40" doc:"of the record, such as quote"`
	Order    string `query:"order" enum:"asc,desc" default:"desc" doc:"by when it happened"`
}

type recordTimelineInput struct {
	ByID
	Page
	Spoken
	Filters
	Order string `query:"order" enum:"asc,desc" default:"asc" doc:"by when it happened"`
}

func registerTimelines(a huma.API, d Deps) {
	huma.Register(a, get(a, "list-timeline", "/timeline", "Tell what happened, the latest first", everybody), d.timeline)
	for _, of := range []timelineOf{
		{"customer", "/customers/{id}/timeline", "customers", "e.customer_id", func(q *query, who api.Principal, id string) {
			q.and("c.customer_id = ?", id)
			if who.IsCustomer() {
				q.and("c.customer_id = ?", who.CustomerID)
			}
		}, "SELECT 1 FROM customers c"},
		{"quote", "/quotes/{id}/timeline", "quotes", "e.record_id", func(q *query, who api.Principal, id string) {
			q.and("q.quote_id = ?", id)
			q.onlyQuotes(who)
		}, "SELECT 1 FROM quotes q"},
		{"invoice", "/invoices/{id}/timeline", "invoices", "e.record_id", func(q *query, who api.Principal, id string) {
			q.and("i.invoice_id = ?", id)
			q.onlyInvoices(who)
		}, "SELECT 1 FROM invoices i"},
		{"request", "/requests/{id}/timeline", "requests", "e.record_id", func(q *query, who api.Principal, id string) {
			q.and("q.request_id = ?", id)
			q.only(who, "q", seeService)
		}, "SELECT 1 FROM requests q"},
	} {
		op := get(a, "get-"+of.record+"-timeline", of.path, "Tell what happened to a "+of.record+", from the beginning", everybody)
		huma.Register(a, op, func(ctx context.Context, in *recordTimelineInput) (*List[Entry], error) {
			return d.timelineOf(ctx, of, in)
		})
	}
}

func (d Deps) timeline(ctx context.Context, in *timelineInput) (*List[Entry], error) {
	ask := entries{page: in.Page, spoken: in.Spoken, descending: in.Order == "desc"}
	ask.query.equal("e.customer_id", in.Customer)
	ask.query.equal("e.record_id", in.Record)
	ask.query.equal("e.record_kind", in.Kind)
	ask.query.of(in.Filters)
	return d.tell(ctx, in.Waiting, []string{"timeline"}, ask)
}

// timelineOf is the timeline of one record, or of all of a customer's.
type timelineOf struct {
	record, path, model, column string
	visible                     func(q *query, who api.Principal, id string)
	exists                      string
}

func (d Deps) timelineOf(ctx context.Context, of timelineOf, in *recordTimelineInput) (*List[Entry], error) {
	ask := entries{page: in.Page, spoken: in.Spoken, descending: in.Order == "desc"}
	ask.query.and(of.column+" = ?", in.ID)
	ask.query.of(in.Filters)
	ask.exists = func(r *reader, found **int) {
		var q query
		of.visible(&q, r.who, in.ID)
		sql, args := q.sql(of.exists, "1", 1)
		r.queue(one(found), sql, args...)
	}
	ask.missing = of.record
	return d.tell(ctx, in.Waiting, []string{"timeline", of.model}, ask)
}

// of adds the filters. What the portal did by itself has no actor's id, which the
// index of actors is told by the second condition on them.
func (q *query) of(f Filters) {
	q.equal("e.type", f.Type)
	if f.Actor != "" {
		q.and("e.actor_id = ? AND e.actor_kind <> 'system'", f.Actor)
	}
	if !f.From.IsZero() {
		q.and("e.occurred_at >= ?", f.From)
	}
	if !f.Until.IsZero() {
		q.and("e.occurred_at < ?", f.Until)
	}
}

// entries is what is asked of the timeline.
type entries struct {
	query
	page       Page
	spoken     Spoken
	descending bool
	exists     func(r *reader, found **int) // asks whether the record is one that the reader may see
	missing    string                       // what it is
}

func (d Deps) tell(ctx context.Context, w api.Waiting, models []string, ask entries) (*List[Entry], error) {
	after, err := ask.page.after("timeline")
	if err != nil {
		return nil, err
	}
	var found []entryRow
	var items []Entry
	asOf, err := d.read(ctx, w, models, func(r *reader) error {
		var exists *int
		teller := teller{reader: r}
		r.queue(record(&teller.business), `SELECT time_zone, language FROM businesses`)
		if ask.exists != nil {
			ask.exists(r, &exists)
		}
		ask.onlyEntries(r.who)
		sql, args := ask.sql(after)
		r.queue(records(&found), sql, args...)
		if err := r.flush(ctx); err != nil {
			return err
		}
		if ask.exists != nil && exists == nil {
			return notFound(ask.missing)
		}
		items, err = teller.tell(ctx, ask.spoken, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	body := cut(items, ask.page.Limit, func(Entry) place {
		last := found[ask.page.Limit-1]
		return place{List: "timeline", At: last.OccurredAt, Position: last.Position, Revision: last.Revision}
	})
	return &List[Entry]{asOf, body}, nil
}

func (e *entries) sql(after *place) (string, []any) {
	comparison, direction := ">", "ASC"
	if e.descending {
		comparison, direction = "<", "DESC"
	}
	if after != nil {
		e.and("(e.occurred_at, e._position, e._revision) "+comparison+" (?, ?, ?)", after.At, after.Position, after.Revision)
	}
	order := "e.occurred_at " + direction + ", e._position " + direction + ", e._revision " + direction
	return e.query.sql(selectEntries, order, e.page.Limit)
}
