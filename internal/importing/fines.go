package importing

import (
	"context"
	"fmt"
	"time"

	"portal.example/commands"
	"portal.example/commands/invoices"
	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/payment"
	"portal.example/eventstore"
)

// Fines is a billing history, in which each case is an invoice, of amounts in
// cents of a euro:
//
//	Create Fine                            an invoice of amount_cents is issued
//	Send Fine                              expense_cents is added, and the invoice sent
//	Insert Fine Notification               its delivery is confirmed
//	Add penalty                            a late fee lifts the fine itself to amount_cents
//	Payment                                paid_cents is received
//	Send for Credit Collection             it is handed to collections
//	Insert Date Appeal to Prefecture       a dispute before an authority is opened
//	Send Appeal to Prefecture              … answered
//	Receive Result Appeal from Prefecture  … decided; the file does not say how
//	Notify Result Appeal to Offender       … and the customer told
//	Appeal to Judge                        a dispute before a court is opened
//
// A date means midnight in the business's time zone.
var Fines = Format{
	Name:    "fines",
	Columns: []string{"case", "seq", "activity", "date", "amount_cents", "expense_cents", "paid_cents"},
	about: func(caseID string) Subject {
		return Subject{Customer: unnamed("fines", caseID), Title: "Fine " + caseID, DaysToPay: finesDaysToPay}
	},
	begin: beginFine,
}

const (
	finesCurrency = money.Currency("EUR")
	// The file does not say when a fine is due. Its penalties come sixty days
	// after its notifications.
	finesDaysToPay = 60
)

// fine is an invoice on its way into the log.
type fine struct {
	*run
	caseID   string
	subject  Subject
	id       string
	customer string
	known    known         // when this run came to it
	state    invoice.State // after the rows so far
}

func beginFine(ctx context.Context, r *run, caseID string) (history, error) {
	f := &fine{run: r, caseID: caseID, subject: r.about(caseID)}
	m, err := r.command("case "+caseID, time.Time{})
	if err != nil {
		return nil, err
	}
	f.id = eventstore.NewID(m.CommandID, "invoice").String()
	f.customer = CustomerID(r.Business, f.subject.Customer.Key)
	if f.known, err = r.known(ctx, invoice.Stream(f.id)); err != nil || len(f.known) == 0 {
		return f, err
	}
	f.state, err = commands.Look(ctx, r.room.Invoices, invoice.Stream(f.id))
	return f, err
}

func (f *fine) take(ctx context.Context, row Row) error {
	activity := row.field("activity")
	step, known := fineSteps[activity]
	if !known {
		var check domain.Check
		check.Fail("activity", "unknown_activity", fmt.Sprintf("%.60q is no activity of a fine", activity))
		return check.Err()
	}
	var check domain.Check
	date, err := domain.ParseDate(row.field("date"))
	check.Add("date", err)
	if err == nil {
		check.Date("date", date)
	}
	columns := []string{"case", "seq", "activity", "date"}
	var amount money.Money
	if step.amount != "" {
		columns = append(columns, step.amount)
		amount = money.Money{Amount: row.units(&check, step.amount), Currency: finesCurrency}
	}
	row.only(&check, activity, columns...)
	if err := check.Err(); err != nil {
		return err
	}
	at := date.Start(f.zone)
	m, err := f.ofRow(f.caseID, row, at)
	if err != nil {
		return err
	}
	last := m
	if step.last != "" {
		last = commands.NextStep(m, step.last)
	}
	if done, err := f.known.done(last); done || err != nil {
		return err
	}
	if err := step.take(f, ctx, fineStep{Metadata: m, on: date, at: at, amount: amount}); err != nil {
		return err
	}
	f.known[last.CommandID] = last.Fingerprint // the row may stand in the file again
	return nil
}

// fineStep is a row that makes sense.
type fineStep struct {
	eventstore.Metadata
	on     domain.Date
	at     time.Time
	amount money.Money
}

// fineSteps says for each activity which column has its amount, if any, what it
// means, and which of its commands about the invoice comes last, if there are
// several.
var fineSteps = map[string]struct {
	amount string
	take   func(*fine, context.Context, fineStep) error
	last   string
}{
	"Create Fine":                {"amount_cents", (*fine).issue, "number"},
	"Send Fine":                  {"expense_cents", (*fine).send, ""},
	"Insert Fine Notification":   {"", (*fine).confirmDelivery, ""},
	"Add penalty":                {"amount_cents", (*fine).raise, ""},
	"Payment":                    {"paid_cents", (*fine).receive, ""},
	"Send for Credit Collection": {"", (*fine).collect, ""},

	"Insert Date Appeal to Prefecture":      {"", (*fine).appeal, ""},
	"Send Appeal to Prefecture":             {"", (*fine).answerAppeal, ""},
	"Receive Result Appeal from Prefecture": {"", (*fine).decideAppeal, ""},
	"Notify Result Appeal to Offender":      {"", (*fine).notifyOutcome, ""},
	"Appeal to Judge":                       {"", (*fine).appealToCourt, ""},
}

func (f *fine) execute(ctx context.Context, m eventstore.Metadata, c domain.Decider[invoice.State, invoice.Event]) error {
	result, err := f.room.Invoices.Execute(ctx, invoice.Stream(f.id), m, c)
	if err == nil {
		f.state = result.State
	}
	return err
}

func (f *fine) issue(ctx context.Context, s fineStep) error {
	draft := invoice.Draft{
		InvoiceID: f.id, BusinessID: f.Business, CustomerID: f.customer, Reference: f.caseID, Currency: finesCurrency,
		Lines: []lines.Line{{ID: "1", Description: f.subject.Title, Quantity: 1000, UnitPrice: s.amount}},
		At:    s.at,
	}
	if f.subject.Customer.Address != "" {
		draft.PropertyID = PropertyID(f.Business, f.subject.Customer.Key)
	}
	due := domain.DateOf(time.Date(s.on.Year, s.on.Month, s.on.Day+f.subject.DaysToPay, 0, 0, 0, 0, time.UTC), time.UTC)
	freeze := invoice.Freeze{IssuedOn: s.on, DueOn: due, At: s.at}
	if err := issuable(draft, freeze); err != nil {
		return err // before there is a customer without an invoice
	}
	if err := f.meet(ctx, f.subject.Customer, s.at); err != nil {
		return err
	}
	if err := f.execute(ctx, s.Metadata, draft); err != nil {
		return err
	}
	if err := f.execute(ctx, commands.NextStep(s.Metadata, "freeze"), freeze); err != nil {
		return err
	}
	step := commands.NextStep(s.Metadata, "number")
	number, err := f.numbers.number(ctx, step, f.state, s.at)
	if err != nil {
		return err
	}
	return f.execute(ctx, step, invoice.Issue{Number: number, At: s.at})
}

func issuable(draft invoice.Draft, freeze invoice.Freeze) error {
	drafted, err := draft.Decide(invoice.State{})
	if err != nil {
		return err
	}
	_, err = freeze.Decide(domain.Fold(invoice.State{}, drafted...))
	return err
}

func (f *fine) send(ctx context.Context, s fineStep) error {
	if s.amount.Amount > 0 {
		err := f.execute(ctx, commands.NextStep(s.Metadata, "expense"), invoice.AddExpense{
			ChargeID: eventstore.NewID(s.CommandID, "expense").String(), Description: "Postage", Amount: s.amount, At: s.at,
		})
		if err != nil {
			return err
		}
	}
	return f.execute(ctx, s.Metadata, invoice.Send{At: s.at})
}

func (f *fine) confirmDelivery(ctx context.Context, s fineStep) error {
	return f.execute(ctx, s.Metadata, invoice.ConfirmDelivery{At: s.at})
}

func (f *fine) raise(ctx context.Context, s fineStep) error {
	fee := s.amount.Minus(f.state.Total)
	for _, charge := range f.state.Charges {
		if charge.Kind == invoice.LateFee {
			fee = fee.Minus(charge.Amount)
		}
	}
	return f.execute(ctx, s.Metadata, invoice.AddLateFee{
		ChargeID: eventstore.NewID(s.CommandID, "late-fee").String(), Description: "Late fee", Amount: fee, At: s.at,
	})
}

func (f *fine) receive(ctx context.Context, s fineStep) error {
	id := eventstore.NewID(s.CommandID, "payment").String()
	if settled, err := f.settled(ctx, s, id); settled || err != nil {
		return err
	}
	receive := invoice.ReceivePayment{PaymentID: id, Amount: s.amount, At: s.at}
	if _, err := receive.Decide(f.state); err != nil {
		return err // once it is recorded, it cannot be refused any more
	}
	recorded, err := f.room.Payments.Execute(ctx, payment.Stream(id), s.Metadata, payment.Record{
		PaymentID: id, BusinessID: f.Business, CustomerID: f.customer, InvoiceID: f.id,
		Currency: finesCurrency, Method: payment.Unstated, Amount: s.amount, At: s.at,
	})
	if err != nil {
		return err
	}
	settled, err := invoices.Settle(ctx, f.room, s.Metadata, recorded.State, s.at)
	f.state = settled.Invoice
	return err
}

// settled says whether a payment has been through all its streams.
func (f *fine) settled(ctx context.Context, s fineStep, id string) (bool, error) {
	received, err := f.known.done(commands.NextStep(s.Metadata, "receive"))
	if !received || err != nil {
		return false, err
	}
	p, err := commands.Look(ctx, f.room.Payments, payment.Stream(id))
	return p.Unsettled().Amount == 0, err
}

func (f *fine) collect(ctx context.Context, s fineStep) error {
	return f.execute(ctx, s.Metadata, invoice.SendToCollections{At: s.at})
}

// dispute is the id of the case's one dispute before this forum.
func (f *fine) dispute(forum invoice.Forum) string {
	m, err := f.command("case "+f.caseID, time.Time{})
	if err != nil {
		return "" // no case, which nothing gets past
	}
	return eventstore.NewID(m.CommandID, "dispute before "+string(forum)).String()
}

func (f *fine) open(ctx context.Context, s fineStep, forum invoice.Forum) error {
	return f.execute(ctx, s.Metadata, invoice.OpenDispute{
		By: domain.Actor{Kind: domain.System}, DisputeID: f.dispute(forum), Forum: forum, At: s.at,
	})
}

func (f *fine) appeal(ctx context.Context, s fineStep) error {
	return f.open(ctx, s, invoice.BeforeAuthority)
}

func (f *fine) appealToCourt(ctx context.Context, s fineStep) error {
	return f.open(ctx, s, invoice.BeforeCourt)
}

func (f *fine) answerAppeal(ctx context.Context, s fineStep) error {
	return f.execute(ctx, s.Metadata, invoice.AnswerDispute{
		DisputeID: f.dispute(invoice.BeforeAuthority), Forum: invoice.BeforeAuthority, At: s.at,
	})
}

func (f *fine) decideAppeal(ctx context.Context, s fineStep) error {
	return f.execute(ctx, s.Metadata, invoice.DecideDispute{
		DisputeID: f.dispute(invoice.BeforeAuthority), Forum: invoice.BeforeAuthority, Outcome: invoice.Unstated, At: s.at,
	})
}

func (f *fine) notifyOutcome(ctx context.Context, s fineStep) error {
	return f.execute(ctx, s.Metadata, invoice.NotifyDisputeOutcome{
		DisputeID: f.dispute(invoice.BeforeAuthority), Forum: invoice.BeforeAuthority, At: s.at,
	})
}
