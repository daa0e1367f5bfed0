package quote

import (
	"fmt"
	"slices"
	"time"

	"portal.example/domain"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// Offer is what one version of a quote offers.
type Offer struct {
	Title     string       `json:"title" personal:"CustomerID"`
	Lines     []lines.Line `json:"lines"`
	Terms     string       `json:"terms,omitempty" personal:"CustomerID"`
	Deposit   money.Money  `json:"deposit,omitzero"`   // to be paid on approval
	ExpiresAt time.Time    `json:"expiresAt,omitzero"` // the last instant at which it can be approved; zero: it stays open
}

func (o Offer) check(check *domain.Check, in money.Currency) {
	check.Line("offer.title", o.Title, domain.MaxName)
	lines.Check(check, "offer.lines", o.Lines, in)
	check.OptionalProse("offer.terms", o.Terms)
	check.OptionalTime("offer.expiresAt", o.ExpiresAt)
	if o.Deposit != (money.Money{}) {
		money.CheckEntry(check, "offer.deposit", o.Deposit, in)
	}
	if check.Err() != nil {
		return // the sums below want lines that are well formed
	}
	_, err := lines.Sum(in, o.Lines)
	check.Add("offer.lines", err)
	least, err := o.total(in, nil)
	if err == nil && o.Deposit.Amount > least.Gross.Amount {
		check.Fail("offer.deposit", "above_total", "must not be more than the total without options")
	}
}

// total is what the offer comes to with some of its optional lines.
func (o Offer) total(in money.Currency, options []string) (lines.Totals, error) {
	return lines.Sum(in, slices.DeleteFunc(slices.Clone(o.Lines), func(l lines.Line) bool {
		return l.Optional && !slices.Contains(options, l.ID)
	}))
}

// expired says whether the offer can no longer be approved. It still can at the
// very instant of its expiry.
func (o Offer) expired(at time.Time) bool {
	return !o.ExpiresAt.IsZero() && at.After(o.ExpiresAt)
}

func (o Offer) equal(p Offer) bool {
	return len(Changes(o, p)) == 0 && slices.Equal(o.Lines, p.Lines)
}

// Change is one difference between two versions of an offer.
type Change struct {
	Field string `json:"field"` // "title", "lines[pump].unitPrice"
	From  any    `json:"from"`  // null where there was nothing
	To    any    `json:"to"`    // null where there is nothing any more
}

// Changes lists what became different from one offer to another, lines matched
// by their ids. The order of lines is none of it.
func Changes(from, to Offer) []Change {
	var d differences
	d.note("title", from.Title, to.Title)
	for _, old := range from.Lines {
		i := slices.IndexFunc(to.Lines, func(l lines.Line) bool { return l.ID == old.ID })
		if i < 0 {
			d.note(fmt.Sprintf("lines[%s]", old.ID), old, nil)
			continue
		}
		d.line(old, to.Lines[i])
	}
	for _, l := range to.Lines {
		if !slices.ContainsFunc(from.Lines, func(old lines.Line) bool { return old.ID == l.ID }) {
			d.note(fmt.Sprintf("lines[%s]", l.ID), nil, l)
		}
	}
	d.note("terms", from.Terms, to.Terms)
	d.note("deposit", orNil(from.Deposit), orNil(to.Deposit))
	d.note("expiresAt", orNil(from.ExpiresAt.UTC()), orNil(to.ExpiresAt.UTC()))
	return d
}

type differences []Change

func (d *differences) note(field string, from, to any) {
	if from != to {
		*d = append(*d, Change{Field: field, From: from, To: to})
	}
}

func (d *differences) line(from, to lines.Line) {
	at := fmt.Sprintf("lines[%s].", from.ID)
	d.note(at+"description", from.Description, to.Description)
	d.note(at+"quantity", from.Quantity, to.Quantity)
	d.note(at+"unitPrice", from.UnitPrice, to.UnitPrice)
	d.note(at+"taxRate", from.TaxRate, to.TaxRate)
	d.note(at+"optional", from.Optional, to.Optional)
}

func orNil[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}
