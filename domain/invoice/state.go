package invoice

import (
	"slices"
	"time"

	"portal.example/domain"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// State is an invoice as its events tell it.
type State struct {
	ID            string
	BusinessID    string
	CustomerID    string
	Place         domain.Place
	QuoteID       string
	Reference     string
	Currency      money.Currency
	Status        Status
	Number        int64       // 0 until it is issued
	IssuedOn      domain.Date // from freezing on, as are DueOn and Total
	DueOn         domain.Date
	Total         money.Money // of the lines
	Lines         []lines.Line
	Note          string
	Charges       []Charge
	Payments      []Payment
	CreditNotes   []CreditNote
	Billed        money.Money // total and charges less credit notes; nothing before issue and when void
	Paid          money.Money // all that was received, surplus included
	Credit        money.Money // surplus that went to the customer's account
	Sent          bool
	Delivered     bool
	InCollections bool
	Disputes      []Dispute
	Version       int // of what the invoice says: sending, viewing and disputing leave it alone
	Views         domain.Views
}

// Status is how far an invoice has come. Whether it is paid or overdue is a
// matter of its balance and of the day, not of its status.
type Status string

// The states of an invoice.
const (
	StatusDraft  Status = "draft"
	StatusFrozen Status = "frozen" // on its way to a number
	StatusIssued Status = "issued"
	StatusVoid   Status = "void"
)

// Charge is an expense or a late fee added after the issue.
type Charge struct {
	ID          string      `json:"id"`
	Kind        ChargeKind  `json:"kind"`
	Description string      `json:"description"`
	Amount      money.Money `json:"amount"`
}

// ChargeKind tells charges apart.
type ChargeKind string

// The kinds of charge.
const (
	Expense ChargeKind = "expense"
	LateFee ChargeKind = "late-fee"
)

// Payment is what a payment did for this invoice.
type Payment struct {
	ID        string      `json:"id"`
	Received  money.Money `json:"received"`
	Allocated money.Money `json:"allocated"`
	At        time.Time   `json:"at"`
}

// CreditNote is a part of what was billed, taken back.
type CreditNote struct {
	ID     string      `json:"id"`
	Amount money.Money `json:"amount"`
}

// DocumentVersion is the number in the invoice's ETag.
func (s State) DocumentVersion() int { return s.Version }

// Balance is what is left to be paid: billed - paid + credit, never below zero.
func (s State) Balance() money.Money { return s.Billed.Minus(s.Paid).Plus(s.Credit) }

// Overdue says whether something is left to be paid after the day it was due,
// both days in the business's time zone.
func (s State) Overdue(today domain.Date) bool {
	return s.Status == StatusIssued && s.Balance().Amount > 0 && today.Compare(s.DueOn) > 0
}

// Disputed says whether a dispute is open; nobody is reminded meanwhile.
func (s State) Disputed() bool {
	return slices.ContainsFunc(s.Disputes, Dispute.open)
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Drafted:
		s = drafted(e)
	case Revised:
		s.Lines, s.Note = e.Lines, e.Note
		s.Version++
	case Frozen:
		s.Status, s.IssuedOn, s.DueOn, s.Total = StatusFrozen, e.IssuedOn, e.DueOn, e.Total
		s.Version++
	case Issued:
		s.Status, s.Number, s.Billed = StatusIssued, e.Number, e.Total
		s.Version++
	case Sent:
		s.Sent = true
	case DeliveryConfirmed:
		s.Delivered = true
	case Viewed:
		s.Views = s.Views.With(domain.RecentView{Session: e.Session, Version: e.Version, At: e.At})
	case ViewedByStaff:
		s.Views = s.Views.With(domain.RecentView{
			Session: e.Session, ActingFor: e.ActingFor, Version: e.Version, At: e.At,
		})
	case ExpenseAdded:
		s = s.charged(Charge{ID: e.ChargeID, Kind: Expense, Description: e.Description, Amount: e.Amount})
	case LateFeeAdded:
		s = s.charged(Charge{ID: e.ChargeID, Kind: LateFee, Description: e.Description, Amount: e.Amount})
	case PaymentReceived:
		s = s.paid(e)
	case CreditNoteIssued:
		s = s.credited(e)
	case Voided:
		s.Status, s.Billed = StatusVoid, money.Zero(s.Currency)
		s.Version++
	case SentToCollections:
		s.InCollections = true
	case DisputeOpened:
		s = s.disputed(e.DisputeID, e.Forum, func(d *Dispute) { d.Opened = true })
	case DisputeAnswered:
		s = s.disputed(e.DisputeID, e.Forum, func(d *Dispute) { d.Answered = true })
	case DisputeDecided:
		s = s.disputed(e.DisputeID, e.Forum, func(d *Dispute) { d.Decided, d.Outcome = true, e.Outcome })
	case DisputeOutcomeNotified:
		s = s.disputed(e.DisputeID, e.Forum, func(d *Dispute) { d.Notified = true })
	}
	return s
}

func drafted(e Drafted) State {
	zero := money.Zero(e.Currency)
	return State{
		ID: e.InvoiceID, BusinessID: e.BusinessID, CustomerID: e.CustomerID,
		Place:   domain.Place{PropertyID: e.PropertyID, UnitID: e.UnitID},
		QuoteID: e.QuoteID, Reference: e.Reference, Currency: e.Currency,
		Status: StatusDraft, Lines: e.Lines, Note: e.Note,
		Total: zero, Billed: zero, Paid: zero, Credit: zero,
		Version: 1,
	}
}

func (s State) charged(c Charge) State {
	s.Charges = append(slices.Clip(s.Charges), c)
	s.Billed = s.Billed.Plus(c.Amount)
	s.Version++
	return s
}

func (s State) paid(e PaymentReceived) State {
	s.Payments = append(slices.Clip(s.Payments), Payment{
		ID: e.PaymentID, Received: e.Received, Allocated: e.Allocated, At: e.At,
	})
	s.Paid, s.Credit = s.Paid.Plus(e.Received), s.Credit.Plus(e.Surplus)
	s.Version++
	return s
}

func (s State) credited(e CreditNoteIssued) State {
	s.CreditNotes = append(slices.Clip(s.CreditNotes), CreditNote{ID: e.CreditNoteID, Amount: e.Amount})
	s.Billed, s.Credit = s.Billed.Minus(e.Amount), s.Credit.Plus(e.Surplus)
	s.Version++
	return s
}

func (s State) disputed(id string, forum Forum, change func(*Dispute)) State {
	s.Disputes = slices.Clone(s.Disputes)
	i := s.disputeIndex(id)
	if i < 0 {
		i = len(s.Disputes)
		s.Disputes = append(s.Disputes, Dispute{ID: id, Forum: forum})
	}
	change(&s.Disputes[i])
	return s
}

func (s State) disputeIndex(id string) int {
	return slices.IndexFunc(s.Disputes, func(d Dispute) bool { return d.ID == id })
}
