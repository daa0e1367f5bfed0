// Package invoice is an invoice: drafted, given a number that leaves no gap,
// sent, paid in parts or in full, perhaps charged for lateness, credited,
// disputed or handed to collections.
//
// Stream: invoice-<invoice>.
//
// An invoice is issued in three steps, because the log has no transaction
// across streams. Freeze fixes what it says; the nth event of the business's
// register makes it number n (package register); Issue writes the number into
// it. Everything that can refuse an
// invoice does so before its number is taken, so that an interrupted issue can
// always be rolled forward.
//
// For every invoice and at every moment, billed - paid + credit = what is left
// to be paid, where paid is all that was received and credit is the surplus of
// it, which belongs to the customer's account (package account).
package invoice

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// Category is the category of the streams.
const Category = "invoice"

// Stream is the stream of an invoice.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to an invoice.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"InvoiceDrafted":                Drafted{},
	"InvoiceRevised":                Revised{},
	"InvoiceFrozen":                 Frozen{},
	"InvoiceIssued":                 Issued{},
	"InvoiceSent":                   Sent{},
	"InvoiceDeliveryConfirmed":      DeliveryConfirmed{},
	"InvoiceViewed":                 Viewed{},
	"InvoiceViewedByStaff":          ViewedByStaff{},
	"InvoiceExpenseAdded":           ExpenseAdded{},
	"InvoiceLateFeeAdded":           LateFeeAdded{},
	"InvoicePaymentReceived":        PaymentReceived{},
	"InvoiceCreditNoteIssued":       CreditNoteIssued{},
	"InvoiceVoided":                 Voided{},
	"InvoiceSentToCollections":      SentToCollections{},
	"InvoiceDisputeOpened":          DisputeOpened{},
	"InvoiceDisputeAnswered":        DisputeAnswered{},
	"InvoiceDisputeDecided":         DisputeDecided{},
	"InvoiceDisputeOutcomeNotified": DisputeOutcomeNotified{},
}

// Drafted says that staff began an invoice.
type Drafted struct {
	InvoiceID  string         `json:"invoiceId"`
	BusinessID string         `json:"businessId"`
	CustomerID string         `json:"customerId"`
	PropertyID string         `json:"propertyId,omitempty"`
	UnitID     string         `json:"unitId,omitempty"`
	QuoteID    string         `json:"quoteId,omitempty"`   // that it bills
	Reference  string         `json:"reference,omitempty"` // the invoice's number in another system
	Currency   money.Currency `json:"currency"`
	Lines      []lines.Line   `json:"lines"`
	Note       string         `json:"note,omitempty" personal:"CustomerID"`
	At         time.Time      `json:"at"`
}

// Revised says that staff changed the draft.
type Revised struct {
	CustomerID string       `json:"customerId"`
	Lines      []lines.Line `json:"lines"`
	Note       string       `json:"note,omitempty" personal:"CustomerID"`
	At         time.Time    `json:"at"`
}

// Frozen says that the invoice will be issued as it is, once it has a number.
type Frozen struct {
	CustomerID string      `json:"customerId"`
	IssuedOn   domain.Date `json:"issuedOn"` // in the business's time zone, as is DueOn
	DueOn      domain.Date `json:"dueOn"`    // the last day on which it is not overdue
	Total      money.Money `json:"total"`
	At         time.Time   `json:"at"`
}

// Issued says that the invoice is one from now on, and which.
type Issued struct {
	CustomerID string      `json:"customerId"`
	Number     int64       `json:"number"`
	Total      money.Money `json:"total"`
	At         time.Time   `json:"at"`
}

// Sent says that the business sent the invoice.
type Sent struct {
	CustomerID string    `json:"customerId"`
	At         time.Time `json:"at"`
}

// DeliveryConfirmed says that the invoice is known to have arrived.
type DeliveryConfirmed struct {
	CustomerID string    `json:"customerId"`
	At         time.Time `json:"at"`
}

// Viewed says that a contact of the customer had the invoice before them.
type Viewed struct {
	CustomerID string      `json:"customerId"`
	ContactID  string      `json:"contactId"`
	Session    string      `json:"session"`
	Version    int         `json:"version"`
	Total      money.Money `json:"total"`   // as shown, as is Balance
	Balance    money.Money `json:"balance"` // left to be paid
	Language   string      `json:"language"`
	Schema     string      `json:"schema"` // of the Shown that was hashed
	Hash       string      `json:"hash"`   // see domain.Hash
	Salt       string      `json:"salt" personal:"ContactID"`
	At         time.Time   `json:"at"`
}

// ViewedByStaff says that a member of the business looked at the invoice. It is
// never the customer's view, whichever eyes it was seen through.
type ViewedByStaff struct {
	CustomerID string    `json:"customerId"`
	StaffID    string    `json:"staffId"`
	ActingFor  string    `json:"actingFor,omitempty"` // the contact whose page staff saw
	Session    string    `json:"session"`
	Version    int       `json:"version"`
	At         time.Time `json:"at"`
}

// ExpenseAdded says that an outlay, such as postage, is passed on as it was,
// without tax of its own.
type ExpenseAdded struct {
	CustomerID  string      `json:"customerId"`
	ChargeID    string      `json:"chargeId"`
	Description string      `json:"description" personal:"CustomerID"`
	Amount      money.Money `json:"amount"`
	At          time.Time   `json:"at"`
}

// LateFeeAdded says that the customer is charged for being late, without tax.
type LateFeeAdded struct {
	CustomerID  string      `json:"customerId"`
	ChargeID    string      `json:"chargeId"`
	Description string      `json:"description" personal:"CustomerID"`
	Amount      money.Money `json:"amount"`
	At          time.Time   `json:"at"`
}

// PaymentReceived says that a payment came in for the invoice: as much as was
// still owed is allocated to it, the surplus belongs to the customer's account.
type PaymentReceived struct {
	CustomerID string      `json:"customerId"`
	PaymentID  string      `json:"paymentId"`
	Received   money.Money `json:"received"` // allocated and surplus together
	Allocated  money.Money `json:"allocated"`
	Surplus    money.Money `json:"surplus"`
	At         time.Time   `json:"at"`
}

// CreditNoteIssued says that the business takes back part of what it billed.
// What had been paid of it already belongs to the customer's account.
type CreditNoteIssued struct {
	CustomerID   string      `json:"customerId"`
	CreditNoteID string      `json:"creditNoteId"`
	Amount       money.Money `json:"amount"`
	Surplus      money.Money `json:"surplus"` // part of the amount that was no longer owed
	Reason       string      `json:"reason" personal:"CustomerID"`
	At           time.Time   `json:"at"`
}

// Voided says that nothing is owed on the invoice. Its number stays taken.
type Voided struct {
	CustomerID string    `json:"customerId"`
	Reason     string    `json:"reason" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// SentToCollections says that a collector was given the invoice.
type SentToCollections struct {
	CustomerID string      `json:"customerId"`
	Balance    money.Money `json:"balance"` // to be collected
	At         time.Time   `json:"at"`
}

// DisputeOpened says that the customer contests the invoice.
type DisputeOpened struct {
	CustomerID string    `json:"customerId"`
	DisputeID  string    `json:"disputeId"`
	Forum      Forum     `json:"forum"`
	ContactID  string    `json:"contactId,omitempty"` // who opened it in the portal
	Reason     string    `json:"reason,omitempty" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// DisputeAnswered says that the business gave its answer.
type DisputeAnswered struct {
	CustomerID string    `json:"customerId"`
	DisputeID  string    `json:"disputeId"`
	Forum      Forum     `json:"forum"`
	Text       string    `json:"text,omitempty" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// DisputeDecided says how it ended. What follows for the money is said apart,
// by a credit note for one.
type DisputeDecided struct {
	CustomerID string    `json:"customerId"`
	DisputeID  string    `json:"disputeId"`
	Forum      Forum     `json:"forum"`
	Outcome    Outcome   `json:"outcome"`
	Text       string    `json:"text,omitempty" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// DisputeOutcomeNotified says that the customer was told the outcome.
type DisputeOutcomeNotified struct {
	CustomerID string    `json:"customerId"`
	DisputeID  string    `json:"disputeId"`
	Forum      Forum     `json:"forum"`
	At         time.Time `json:"at"`
}

func (Drafted) isEvent()                {}
func (Revised) isEvent()                {}
func (Frozen) isEvent()                 {}
func (Issued) isEvent()                 {}
func (Sent) isEvent()                   {}
func (DeliveryConfirmed) isEvent()      {}
func (Viewed) isEvent()                 {}
func (ViewedByStaff) isEvent()          {}
func (ExpenseAdded) isEvent()           {}
func (LateFeeAdded) isEvent()           {}
func (PaymentReceived) isEvent()        {}
func (CreditNoteIssued) isEvent()       {}
func (Voided) isEvent()                 {}
func (SentToCollections) isEvent()      {}
func (DisputeOpened) isEvent()          {}
func (DisputeAnswered) isEvent()        {}
func (DisputeDecided) isEvent()         {}
func (DisputeOutcomeNotified) isEvent() {}
