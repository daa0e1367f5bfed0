package invoice

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// ShownSchema names the shape of Shown. It stands in every view, whose hash is
// of that shape: a changed shape is a new struct with a new name beside this
// one.
const ShownSchema = "invoice/1"

// Shown is what an invoice says to whoever reads it, in whatever layout. Its
// canonical JSON is what is hashed.
type Shown struct {
	Schema      string         `json:"schema"`
	InvoiceID   string         `json:"invoiceId"`
	Number      int64          `json:"number"`
	Reference   string         `json:"reference,omitempty"`
	Version     int            `json:"version"`
	Void        bool           `json:"void"`
	IssuedOn    domain.Date    `json:"issuedOn"`
	DueOn       domain.Date    `json:"dueOn"`
	Currency    money.Currency `json:"currency"`
	Lines       []ShownLine    `json:"lines"`
	Totals      lines.Totals   `json:"totals"` // of the lines
	Charges     []Charge       `json:"charges,omitempty"`
	CreditNotes []CreditNote   `json:"creditNotes,omitempty"`
	Payments    []ShownPayment `json:"payments,omitempty"`
	Billed      money.Money    `json:"billed"`
	Paid        money.Money    `json:"paid"`
	Credit      money.Money    `json:"credit"`
	Balance     money.Money    `json:"balance"`
	Note        string         `json:"note,omitempty"`
}

// ShownLine is a line with what it comes to.
type ShownLine struct {
	lines.Line
	Net money.Money `json:"net"`
}

// ShownPayment is a payment with its time in the one form that is hashed.
type ShownPayment struct {
	ID        string      `json:"id"`
	Received  money.Money `json:"received"`
	Allocated money.Money `json:"allocated"`
	At        string      `json:"at"` // RFC 3339, UTC
}

// Shown is what the invoice says now. Without a number it is not to be shown.
func (s State) Shown() (Shown, error) {
	totals, err := lines.Sum(s.Currency, s.Lines)
	if err != nil {
		return Shown{}, err
	}
	shown := Shown{
		Schema: ShownSchema, InvoiceID: s.ID, Number: s.Number, Reference: s.Reference, Version: s.Version,
		Void: s.Status == StatusVoid, IssuedOn: s.IssuedOn, DueOn: s.DueOn, Currency: s.Currency,
		Totals: totals, Charges: s.Charges, CreditNotes: s.CreditNotes,
		Billed: s.Billed, Paid: s.Paid, Credit: s.Credit, Balance: s.Balance(), Note: s.Note,
	}
	for _, l := range s.Lines {
		net, err := l.Net()
		if err != nil {
			return Shown{}, err
		}
		shown.Lines = append(shown.Lines, ShownLine{Line: l, Net: net})
	}
	for _, p := range s.Payments {
		shown.Payments = append(shown.Payments, ShownPayment{
			ID: p.ID, Received: p.Received, Allocated: p.Allocated, At: p.At.UTC().Format(time.RFC3339Nano),
		})
	}
	return shown, nil
}
