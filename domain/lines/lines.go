// Package lines is what quotes and invoices have in common: line items and
// what they come to.
//
// Prices are net. A line comes to its quantity times its unit price, rounded
// half away from zero. Tax is worked out once for each rate, on the sum of the
// lines at that rate (see money.Rate.Of), so that a document's tax does not
// depend on how its work is cut into lines.
package lines

import (
	"cmp"
	"fmt"
	"slices"

	"portal.example/domain"
	"portal.example/domain/money"
)

// MaxLines is how many lines a document can have.
const MaxLines = 200

// Line is one item of a document.
type Line struct {
	ID          string         `json:"id"` // names the line within the document, through all its versions
	Description string         `json:"description" personal:"CustomerID"`
	Quantity    money.Quantity `json:"quantity"`
	UnitPrice   money.Money    `json:"unitPrice"`
	TaxRate     money.Rate     `json:"taxRate"`
	Optional    bool           `json:"optional,omitempty"` // the customer may take it or leave it; on quotes only
}

// Net is what the line comes to before tax.
func (l Line) Net() (money.Money, error) {
	return l.Quantity.At(l.UnitPrice)
}

// Check notes what is wrong with a document's lines: none at all, or a line
// that is not well formed or in another currency.
func Check(check *domain.Check, field string, items []Line, in money.Currency) {
	check.Count(field, len(items), 1, MaxLines)
	if len(items) > MaxLines {
		return
	}
	ids := make(map[string]bool, len(items))
	for i, l := range items {
		at := fmt.Sprintf("%s[%d].", field, i)
		check.Line(at+"id", l.ID, 40)
		if ids[l.ID] {
			check.Fail(at+"id", "duplicate", "must not be the id of another line")
		}
		ids[l.ID] = true
		check.Prose(at+"description", l.Description)
		money.CheckQuantity(check, at+"quantity", l.Quantity)
		money.CheckOptional(check, at+"unitPrice", l.UnitPrice, in)
		money.CheckRate(check, at+"taxRate", l.TaxRate)
	}
}

// Totals is what a document's lines come to.
type Totals struct {
	Net   money.Money `json:"net"`
	Taxes []Tax       `json:"taxes"` // by rate, lowest first
	Gross money.Money `json:"gross"` // net and taxes: what is to be paid
}

// Tax is the tax at one rate.
type Tax struct {
	Rate   money.Rate  `json:"rate"`
	Net    money.Money `json:"net"` // what is taxed
	Amount money.Money `json:"amount"`
}

// Sum is what the lines come to. It refuses a total that is too large, and
// lines of another currency.
func Sum(in money.Currency, items []Line) (Totals, error) {
	totals := Totals{Net: money.Zero(in)}
	for _, l := range items {
		net, err := l.Net()
		if err != nil {
			return Totals{}, err
		}
		if totals.Net, err = totals.Net.Add(net); err != nil {
			return Totals{}, err
		}
		totals.Taxes = withNet(totals.Taxes, l.TaxRate, net)
	}
	slices.SortFunc(totals.Taxes, func(x, y Tax) int { return cmp.Compare(x.Rate, y.Rate) })

	totals.Gross = totals.Net
	for i, tax := range totals.Taxes {
		amount, err := tax.Rate.Of(tax.Net)
		if err != nil {
			return Totals{}, err
		}
		totals.Taxes[i].Amount = amount
		if totals.Gross, err = totals.Gross.Add(amount); err != nil {
			return Totals{}, err
		}
	}
	return totals, nil
}

// withNet adds to what is taxed at a rate. Every part is within a sum that the
// caller has checked.
func withNet(taxes []Tax, rate money.Rate, net money.Money) []Tax {
	i := slices.IndexFunc(taxes, func(t Tax) bool { return t.Rate == rate })
	if i < 0 {
		return append(taxes, Tax{Rate: rate, Net: net})
	}
	taxes[i].Net = taxes[i].Net.Plus(net)
	return taxes
}
