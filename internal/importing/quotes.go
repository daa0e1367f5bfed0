package importing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/eventstore"
)

// Quotes is a history of quotes, in which each case is a quote, of amounts in
// cents of a euro:
//
//	Drafted            an offer of amount_cents is drafted, to be approved until expires
//	Revised            … another takes its place
//	Sent               the present offer is given to the customer, in place of any before it
//	Viewed             the customer's contact looks at it
//	Changes requested  … would take another, and says which
//	Approved           … agrees, and signs with their name
//	Declined           … does not want it, and says why
//
// That an offer has expired is no row: nobody did it. The format is the demo's
// own, so that Formats does not have it.
var Quotes = Format{
	Name:    "quotes",
	Columns: []string{"case", "seq", "activity", "at", "amount_cents", "expires", "says"},
	about: func(caseID string) Subject {
		return Subject{Customer: unnamed("quotes", caseID), Title: "Quote " + caseID}
	},
	begin: beginQuote,
}

const quotesCurrency = money.Currency("EUR")

// quotation is a quote on its way into the log.
type quotation struct {
	*run
	caseID  string
	subject Subject
	id      string
	known   known       // when this run came to it
	state   quote.State // after the rows so far
}

func beginQuote(ctx context.Context, r *run, caseID string) (history, error) {
	q := &quotation{run: r, caseID: caseID, subject: r.about(caseID)}
	m, err := r.command("case "+caseID, time.Time{})
	if err != nil {
		return nil, err
	}
	q.id = eventstore.NewID(m.CommandID, "quote").String()
	if q.known, err = r.known(ctx, quote.Stream(q.id)); err != nil || len(q.known) == 0 {
		return q, err
	}
	q.state, err = commands.Look(ctx, r.room.Quotes, quote.Stream(q.id))
	return q, err
}

func (q *quotation) take(ctx context.Context, row Row) error {
	activity := row.field("activity")
	step, known := quoteSteps[activity]
	var check domain.Check
	if !known {
		check.Fail("activity", "unknown_activity", fmt.Sprintf("%.60q is no activity of a quote", activity))
		return check.Err()
	}
	at := moment(&check, row, "at")
	if at.IsZero() {
		check.Fail("at", "required", "must not be empty")
	}
	row.only(&check, activity, append([]string{"case", "seq", "activity", "at"}, step.columns...)...)
	decide := step.of(q, &check, row, at)
	if err := check.Err(); err != nil {
		return err
	}
	m, err := q.ofRow(q.caseID, row, at)
	if err != nil {
		return err
	}
	if done, err := q.known.done(m); done || err != nil {
		return err
	}
	if q.state.ID == "" {
		if _, err := decide.Decide(q.state); err != nil {
			return err // before there is a customer without a quote
		}
		if err := q.meet(ctx, q.subject.Customer, at); err != nil {
			return err
		}
	}
	result, err := q.room.Quotes.Execute(ctx, quote.Stream(q.id), m, decide)
	if err == nil {
		q.state = result.State
	}
	return err
}

type quoteDecider = domain.Decider[quote.State, quote.Event]

// quoteSteps says for each activity which further columns it has and what it
// means.
var quoteSteps = map[string]struct {
	columns []string
	of      func(*quotation, *domain.Check, Row, time.Time) quoteDecider
}{
	"Drafted":           {[]string{"amount_cents", "expires"}, (*quotation).draft},
	"Revised":           {[]string{"amount_cents", "expires"}, (*quotation).revise},
	"Sent":              {nil, (*quotation).send},
	"Viewed":            {nil, (*quotation).view},
	"Changes requested": {[]string{"says"}, (*quotation).requestChanges},
	"Approved":          {nil, (*quotation).approve},
	"Declined":          {[]string{"says"}, (*quotation).decline},
}

func (q *quotation) draft(check *domain.Check, row Row, at time.Time) quoteDecider {
	draft := quote.Draft{
		QuoteID: q.id, BusinessID: q.Business, CustomerID: CustomerID(q.Business, q.subject.Customer.Key),
		Reference: q.caseID, Currency: quotesCurrency, Offer: q.offer(check, row), At: at,
	}
	if q.subject.Customer.Address != "" {
		draft.PropertyID = PropertyID(q.Business, q.subject.Customer.Key)
	}
	return draft
}

func (q *quotation) revise(check *domain.Check, row Row, at time.Time) quoteDecider {
	return quote.Revise{Offer: q.offer(check, row), At: at}
}

func (q *quotation) offer(check *domain.Check, row Row) quote.Offer {
	price := money.Money{Amount: row.units(check, "amount_cents"), Currency: quotesCurrency}
	return quote.Offer{
		Title:     q.subject.Title,
		Lines:     []lines.Line{{ID: "1", Description: q.subject.Title, Quantity: 1000, UnitPrice: price}},
		ExpiresAt: moment(check, row, "expires"),
	}
}

func (q *quotation) send(_ *domain.Check, _ Row, at time.Time) quoteDecider {
	return quote.Send{At: at}
}

func (q *quotation) view(_ *domain.Check, _ Row, at time.Time) quoteDecider {
	return quote.View{Visit: q.visit(at)}
}

func (q *quotation) requestChanges(_ *domain.Check, row Row, at time.Time) quoteDecider {
	return quote.RequestChanges{By: q.contact(), Version: q.state.Held, Text: row.field("says"), At: at}
}

func (q *quotation) approve(_ *domain.Check, _ Row, at time.Time) quoteDecider {
	return quote.Approve{
		Visit: q.visit(at), Version: q.state.Held, SignedName: q.subject.Customer.Name, ConsentVersion: "imported",
	}
}

func (q *quotation) decline(_ *domain.Check, row Row, at time.Time) quoteDecider {
	return quote.Decline{By: q.contact(), Version: q.state.Held, Reason: row.field("says"), At: at}
}

// contact is who acts for the customer. Where no person is known there is none,
// and what only a contact can do is refused.
func (q *quotation) contact() domain.Actor {
	if q.subject.Customer.Contact == nil {
		return domain.Actor{Kind: domain.Contact}
	}
	return domain.Actor{Kind: domain.Contact, ID: ContactID(q.Business, q.subject.Customer.Key)}
}

// visit is the contact with the quote before them. The history knows nothing of
// sessions: all of a quote's visits go by its name.
func (q *quotation) visit(at time.Time) domain.Visit {
	var salt [16]byte
	rand.Read(salt[:])
	return domain.Visit{
		By: q.contact(), Session: "import of " + q.caseID, Language: q.subject.Customer.Language,
		Salt: hex.EncodeToString(salt[:]), At: at,
	}
}
