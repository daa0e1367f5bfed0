package invoices

import (
	"time"

	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/projections/table"
)

type row struct {
	table.Origin
	CustomerID    string     `db:"customer_id"`
	InvoiceID     string     `db:"invoice_id"`
	PropertyID    string     `db:"property_id"`
	UnitID        string     `db:"unit_id"`
	QuoteID       string     `db:"quote_id"`
	Reference     string     `db:"reference"`
	Number        int64      `db:"number"`
	Currency      string     `db:"currency"`
	Status        string     `db:"status"`
	Version       int        `db:"version"`
	Total         int64      `db:"total"`
	Billed        int64      `db:"billed"`
	Paid          int64      `db:"paid"`
	Credit        int64      `db:"credit"`
	Outstanding   int64      `db:"outstanding"`
	IssuedOn      *string    `db:"issued_on" pg:"date"`
	DueOn         *string    `db:"due_on" pg:"date"`
	Disputed      bool       `db:"disputed"`
	DraftedAt     *time.Time `db:"drafted_at"`
	IssuedAt      *time.Time `db:"issued_at"`
	SentAt        *time.Time `db:"sent_at"`
	DeliveredAt   *time.Time `db:"delivered_at"`
	ViewedAt      *time.Time `db:"viewed_at"`
	LastViewedAt  *time.Time `db:"last_viewed_at"`
	LastPaidAt    *time.Time `db:"last_paid_at"`
	CollectionsAt *time.Time `db:"collections_at"`
	table.Details[Details]
}

var invoices = table.New[row]("invoices", "invoice_id")

// Details are what is kept of an invoice beside its columns.
type Details struct {
	Lines       []lines.Line `json:"lines"`
	Totals      lines.Totals `json:"totals"` // of the lines
	Note        string       `json:"note,omitempty"`
	Charges     []Charge     `json:"charges,omitempty"`
	Payments    []Payment    `json:"payments,omitempty"`
	CreditNotes []CreditNote `json:"creditNotes,omitempty"`
	Disputes    []Dispute    `json:"disputes,omitempty"`
	VoidReason  string       `json:"voidReason,omitempty"`
}

// Charge is an expense or a late fee added after the issue.
type Charge struct {
	ID          string      `json:"id"`
	Kind        string      `json:"kind" enum:"expense,late-fee"`
	Description string      `json:"description"`
	Amount      money.Money `json:"amount"`
	At          time.Time   `json:"at"`
}

// Payment is what a payment did for the invoice.
type Payment struct {
	ID        string      `json:"id"`
	Received  money.Money `json:"received"`
	Allocated money.Money `json:"allocated"`
	Surplus   money.Money `json:"surplus"` // became the customer's credit
	At        time.Time   `json:"at"`
}

// CreditNote is a part of what was billed, taken back.
type CreditNote struct {
	ID      string      `json:"id"`
	Amount  money.Money `json:"amount"`
	Surplus money.Money `json:"surplus"` // of it that had been paid already
	Reason  string      `json:"reason"`
	At      time.Time   `json:"at"`
}

// Dispute is how far a dispute has come.
type Dispute struct {
	ID         string     `json:"id"`
	Forum      string     `json:"forum"`
	ContactID  string     `json:"contactId,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	OpenedAt   *time.Time `json:"openedAt,omitempty"`
	Answer     string     `json:"answer,omitempty"`
	AnsweredAt *time.Time `json:"answeredAt,omitempty"`
	Outcome    string     `json:"outcome,omitempty"`
	Decision   string     `json:"decision,omitempty"`
	DecidedAt  *time.Time `json:"decidedAt,omitempty"`
	NotifiedAt *time.Time `json:"notifiedAt,omitempty"`
}
