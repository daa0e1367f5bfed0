package invoices

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

func fold(rows *table.Set[row], d *eventstore.Decoded, event invoice.Event) error {
	id := table.ID(d)
	if e, ok := event.(invoice.Drafted); ok {
		rows.Add(id, drafted(id, e))
	}
	r, err := rows.Edit(id)
	if err != nil {
		return err
	}
	r.Origin = table.OriginOf(d)
	switch e := event.(type) {
	case invoice.Drafted:
		return r.says(e.Lines, e.Note)
	case invoice.Revised:
		r.Version++
		return r.says(e.Lines, e.Note)
	case invoice.Frozen:
		r.Status, r.IssuedOn, r.DueOn = string(invoice.StatusFrozen), date(e.IssuedOn), date(e.DueOn)
		r.Total = e.Total.Amount
		r.Version++
	case invoice.Issued:
		r.Status, r.Number, r.IssuedAt = string(invoice.StatusIssued), e.Number, table.Time(e.At)
		r.Billed = e.Total.Amount
		r.Version++
	case invoice.Sent:
		r.SentAt = first(r.SentAt, e.At)
	case invoice.DeliveryConfirmed:
		r.DeliveredAt = first(r.DeliveredAt, e.At)
	case invoice.Viewed:
		r.ViewedAt, r.LastViewedAt = first(r.ViewedAt, e.At), table.Time(e.At)
	case invoice.ViewedByStaff: // no view of the customer's
	case invoice.ExpenseAdded:
		return r.charge(Charge{e.ChargeID, string(invoice.Expense), e.Description, e.Amount, e.At})
	case invoice.LateFeeAdded:
		return r.charge(Charge{e.ChargeID, string(invoice.LateFee), e.Description, e.Amount, e.At})
	case invoice.PaymentReceived:
		return r.receive(e)
	case invoice.CreditNoteIssued:
		return r.takeBack(e)
	case invoice.Voided:
		return r.void(e)
	case invoice.SentToCollections:
		r.CollectionsAt = first(r.CollectionsAt, e.At)
	case invoice.DisputeOpened:
		return r.dispute(e.DisputeID, e.Forum, func(d *Dispute) {
			d.ContactID, d.Reason, d.OpenedAt = e.ContactID, e.Reason, table.Time(e.At)
		})
	case invoice.DisputeAnswered:
		return r.dispute(e.DisputeID, e.Forum, func(d *Dispute) {
			d.Answer, d.AnsweredAt = e.Text, table.Time(e.At)
		})
	case invoice.DisputeDecided:
		return r.dispute(e.DisputeID, e.Forum, func(d *Dispute) {
			d.Outcome, d.Decision, d.DecidedAt = string(e.Outcome), e.Text, table.Time(e.At)
		})
	case invoice.DisputeOutcomeNotified:
		return r.dispute(e.DisputeID, e.Forum, func(d *Dispute) { d.NotifiedAt = table.Time(e.At) })
	}
	return nil
}

func drafted(id string, e invoice.Drafted) *row {
	return &row{
		InvoiceID: id, CustomerID: e.CustomerID, PropertyID: e.PropertyID, UnitID: e.UnitID, QuoteID: e.QuoteID,
		Reference: e.Reference, Currency: string(e.Currency), Status: string(invoice.StatusDraft),
		Version: 1, DraftedAt: table.Time(e.At),
	}
}

// says puts in what the invoice is for. What a draft would come to is in its
// details only: its columns count from freezing on.
func (r *row) says(items []lines.Line, note string) error {
	details, err := r.Open()
	if err != nil {
		return err
	}
	details.Lines, details.Note = items, note
	details.Totals, err = lines.Sum(money.Currency(r.Currency), items)
	return err
}

func (r *row) charge(c Charge) error {
	details, err := r.Open()
	if err != nil {
		return err
	}
	details.Charges = append(details.Charges, c)
	r.Billed += c.Amount.Amount
	r.Version++
	return nil
}

func (r *row) receive(e invoice.PaymentReceived) error {
	details, err := r.Open()
	if err != nil {
		return err
	}
	details.Payments = append(details.Payments, Payment{
		ID: e.PaymentID, Received: e.Received, Allocated: e.Allocated, Surplus: e.Surplus, At: e.At,
	})
	r.Paid += e.Received.Amount
	r.Credit += e.Surplus.Amount
	r.LastPaidAt = table.Time(e.At)
	r.Version++
	return nil
}

func (r *row) takeBack(e invoice.CreditNoteIssued) error {
	details, err := r.Open()
	if err != nil {
		return err
	}
	details.CreditNotes = append(details.CreditNotes, CreditNote{
		ID: e.CreditNoteID, Amount: e.Amount, Surplus: e.Surplus, Reason: e.Reason, At: e.At,
	})
	r.Billed -= e.Amount.Amount
	r.Credit += e.Surplus.Amount
	r.Version++
	return nil
}

func (r *row) void(e invoice.Voided) error {
	details, err := r.Open()
	if err != nil {
		return err
	}
	details.VoidReason = e.Reason
	r.Status, r.Billed = string(invoice.StatusVoid), 0
	r.Version++
	return nil
}

func (r *row) dispute(id string, forum invoice.Forum, change func(*Dispute)) error {
	details, err := r.Open()
	if err != nil {
		return err
	}
	i := 0
	for i < len(details.Disputes) && details.Disputes[i].ID != id {
		i++
	}
	if i == len(details.Disputes) {
		details.Disputes = append(details.Disputes, Dispute{ID: id, Forum: string(forum)})
	}
	change(&details.Disputes[i])
	r.Disputed = false
	for _, d := range details.Disputes {
		r.Disputed = r.Disputed || d.open()
	}
	return nil
}

func (d Dispute) open() bool { return d.DecidedAt == nil && d.NotifiedAt == nil }

func date(d domain.Date) *string {
	if d == (domain.Date{}) {
		return nil
	}
	text := d.String()
	return &text
}

func first(known *time.Time, at time.Time) *time.Time {
	if known != nil {
		return known
	}
	return table.Time(at)
}
