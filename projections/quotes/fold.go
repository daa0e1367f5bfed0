package quotes

import (
	"fmt"
	"slices"
	"time"

	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

func fold(rows *table.Set[row], d *eventstore.Decoded, event quote.Event) error {
	id := table.ID(d)
	if e, ok := event.(quote.Drafted); ok {
		rows.Add(id, drafted(id, e))
	}
	r, err := rows.Edit(id)
	if err != nil {
		return err
	}
	r.Origin = table.OriginOf(d)
	details, err := r.Open()
	if err != nil {
		return err
	}
	switch e := event.(type) {
	case quote.Drafted:
		return r.offer(details, 1, e.Offer)
	case quote.Revised:
		return r.offer(details, e.Version, e.Offer)
	case quote.Sent:
		return r.sent(details, e)
	case quote.Viewed:
		r.ViewedAt, r.LastViewedAt = first(r.ViewedAt, e.At), table.Time(e.At)
	case quote.ViewedByStaff: // no view of the customer's
	case quote.QuestionAsked:
		details.Questions = append(details.Questions, Question{
			ID: e.QuestionID, ContactID: e.ContactID, Version: e.Version, Text: e.Text, At: e.At,
		})
		r.OpenQuestions++
	case quote.QuestionAnswered:
		return r.answered(details, e)
	case quote.ChangesRequested:
		r.Status = string(quote.StatusInChange)
		details.Wishes = append(details.Wishes, Wish{ContactID: e.ContactID, Version: e.Version, Text: e.Text, At: e.At})
	case quote.Approved:
		r.Status, r.ApprovedAt, r.ApprovedTotal = string(quote.StatusApproved), table.Time(e.At), &e.Total.Amount
		details.Approval = &Approval{
			ContactID: e.ContactID, Version: e.Version, Options: e.Options, Total: e.Total, Deposit: e.Deposit,
			SignedName: e.SignedName, ConsentVersion: e.ConsentVersion, Hash: e.Hash, At: e.At,
		}
	case quote.Declined:
		r.Status, r.DeclinedAt = string(quote.StatusDeclined), table.Time(e.At)
		details.Declined = &Wish{ContactID: e.ContactID, Version: e.Version, Text: e.Reason, At: e.At}
	case quote.Expired:
		r.Status = string(quote.StatusExpired)
	}
	return nil
}

func drafted(id string, e quote.Drafted) *row {
	return &row{
		QuoteID: id, CustomerID: e.CustomerID, PropertyID: e.PropertyID, UnitID: e.UnitID, RequestID: e.RequestID,
		Reference: e.Reference, Currency: string(e.Currency), Status: string(quote.StatusDraft), DraftedAt: table.Time(e.At),
	}
}

func (r *row) offer(details *Details, version int, offer quote.Offer) error {
	required := slices.DeleteFunc(slices.Clone(offer.Lines), func(l lines.Line) bool { return l.Optional })
	totals, err := lines.Sum(money.Currency(r.Currency), required)
	if err != nil {
		return err
	}
	details.Current = Offer{Version: version, Offer: offer, Totals: totals}
	r.Version, r.Title, r.Total = version, offer.Title, totals.Gross.Amount
	return nil
}

// sent hands the customer the version that staff work on: no older one can be
// sent.
func (r *row) sent(details *Details, e quote.Sent) error {
	if e.Version != details.Current.Version {
		return fmt.Errorf("version %d was sent where %d is the latest", e.Version, details.Current.Version)
	}
	held := details.Current
	details.Held = &held
	r.Status, r.SentAt = string(quote.StatusOpen), first(r.SentAt, e.At)
	r.Held, r.HeldTitle, r.HeldTotal, r.ExpiresAt = e.Version, held.Title, e.Total.Amount, table.Time(e.ExpiresAt)
	return nil
}

func (r *row) answered(details *Details, e quote.QuestionAnswered) error {
	i := slices.IndexFunc(details.Questions, func(q Question) bool { return q.ID == e.QuestionID })
	if i < 0 {
		return fmt.Errorf("an answer to question %s, which nobody asked", e.QuestionID)
	}
	question := &details.Questions[i]
	if len(question.Answers) == 0 {
		r.OpenQuestions--
	}
	question.Answers = append(question.Answers, Answer{Text: e.Text, At: e.At})
	return nil
}

func first(known *time.Time, at time.Time) *time.Time {
	if known != nil {
		return known
	}
	return table.Time(at)
}
