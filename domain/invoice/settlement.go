package invoice

import (
	"slices"
	"time"

	"portal.example/domain"
	"portal.example/domain/money"
)

// What the money side of an invoice can be refused for.
var (
	ErrIDTaken     = &domain.Error{Kind: domain.Conflict, Code: "id_taken", Message: "the id is in use for something else"}
	ErrTooMany     = &domain.Error{Kind: domain.TooLarge, Code: "too_many", Message: "the invoice cannot take any more of these"}
	ErrPaid        = &domain.Error{Kind: domain.Conflict, Code: "invoice_paid", Message: "payments were received; issue a credit note instead"}
	ErrNothingOwed = &domain.Error{Kind: domain.Conflict, Code: "nothing_owed", Message: "nothing is left to be paid"}
)

// How much can be added to one invoice.
const (
	maxCharges     = 100
	maxCreditNotes = 100
)

// AddExpense passes an outlay on.
type AddExpense struct {
	ChargeID    string
	Description string
	Amount      money.Money
	At          time.Time
}

// Decide adds an expense once, whether or not the invoice is paid.
func (c AddExpense) Decide(s State) ([]Event, error) {
	charge := Charge{ID: c.ChargeID, Kind: Expense, Description: c.Description, Amount: c.Amount}
	if fresh, err := s.chargeable(charge); err != nil || !fresh {
		return nil, err
	}
	return []Event{ExpenseAdded{
		CustomerID: s.CustomerID, ChargeID: c.ChargeID, Description: c.Description, Amount: c.Amount, At: c.At,
	}}, nil
}

// AddLateFee charges for lateness.
type AddLateFee struct {
	ChargeID    string
	Description string
	Amount      money.Money
	At          time.Time
}

// Decide adds a late fee once. That the invoice is late is for the business to
// judge: a customer can have paid the bare sum and still owe the fee.
func (c AddLateFee) Decide(s State) ([]Event, error) {
	charge := Charge{ID: c.ChargeID, Kind: LateFee, Description: c.Description, Amount: c.Amount}
	if fresh, err := s.chargeable(charge); err != nil || !fresh {
		return nil, err
	}
	return []Event{LateFeeAdded{
		CustomerID: s.CustomerID, ChargeID: c.ChargeID, Description: c.Description, Amount: c.Amount, At: c.At,
	}}, nil
}

// chargeable says whether the charge can be added, and whether it is new.
func (s State) chargeable(c Charge) (fresh bool, err error) {
	if err := s.inForce(); err != nil {
		return false, err
	}
	var check domain.Check
	check.ID("chargeId", c.ID)
	check.Prose("description", c.Description)
	money.CheckEntry(&check, "amount", c.Amount, s.Currency)
	if err := check.Err(); err != nil {
		return false, err
	}
	if i := slices.IndexFunc(s.Charges, func(old Charge) bool { return old.ID == c.ID }); i >= 0 {
		if old := s.Charges[i]; old.Kind != c.Kind || old.Amount != c.Amount {
			return false, ErrIDTaken
		}
		return false, nil
	}
	if len(s.Charges) >= maxCharges {
		return false, ErrTooMany
	}
	_, err = s.Billed.Add(c.Amount)
	check.Add("amount", err)
	return err == nil, check.Err()
}

// ReceivePayment takes in a payment that package payment has recorded.
type ReceivePayment struct {
	PaymentID string
	Amount    money.Money
	At        time.Time
}

// Decide allocates as much as is owed and leaves the rest as surplus. It takes
// a payment for any invoice that was ever issued, a void one too, because the
// money is there: what nobody owes becomes credit.
func (c ReceivePayment) Decide(s State) ([]Event, error) {
	switch {
	case s.ID == "":
		return nil, ErrNotFound
	case s.Number == 0:
		return nil, ErrNotIssued
	}
	var check domain.Check
	check.ID("paymentId", c.PaymentID)
	money.CheckEntry(&check, "amount", c.Amount, s.Currency)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(s.Payments, func(p Payment) bool { return p.ID == c.PaymentID }); i >= 0 {
		if s.Payments[i].Received != c.Amount {
			return nil, ErrIDTaken
		}
		return nil, nil
	}
	if _, err := s.Paid.Add(c.Amount); err != nil {
		check.Add("amount", err)
		return nil, check.Err()
	}
	allocated := money.Min(c.Amount, s.Balance())
	return []Event{PaymentReceived{
		CustomerID: s.CustomerID, PaymentID: c.PaymentID,
		Received: c.Amount, Allocated: allocated, Surplus: c.Amount.Minus(allocated), At: c.At,
	}}, nil
}

// IssueCreditNote takes back part of what was billed.
type IssueCreditNote struct {
	CreditNoteID string
	Amount       money.Money
	Reason       string
	At           time.Time
}

// Decide takes back at most what is billed. What had been paid of it already is
// surplus.
func (c IssueCreditNote) Decide(s State) ([]Event, error) {
	if err := s.inForce(); err != nil {
		return nil, err
	}
	var check domain.Check
	check.ID("creditNoteId", c.CreditNoteID)
	check.Prose("reason", c.Reason)
	money.CheckEntry(&check, "amount", c.Amount, s.Currency)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(s.CreditNotes, func(n CreditNote) bool { return n.ID == c.CreditNoteID }); i >= 0 {
		if s.CreditNotes[i].Amount != c.Amount {
			return nil, ErrIDTaken
		}
		return nil, nil
	}
	if c.Amount.Amount > s.Billed.Amount {
		check.Fail("amount", "above_billed", "must not be more than is billed", "billed", s.Billed.String())
		return nil, check.Err()
	}
	if len(s.CreditNotes) >= maxCreditNotes {
		return nil, ErrTooMany
	}
	return []Event{CreditNoteIssued{
		CustomerID: s.CustomerID, CreditNoteID: c.CreditNoteID, Amount: c.Amount,
		Surplus: c.Amount.Minus(money.Min(c.Amount, s.Balance())), Reason: c.Reason, At: c.At,
	}}, nil
}

// Void makes an invoice that should not have been. Its number stays taken.
type Void struct {
	Reason string
	At     time.Time
}

// Decide voids a draft or an invoice without payments. One on its way to a
// number has to arrive first.
func (c Void) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Prose("reason", c.Reason)
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case s.Status == StatusVoid:
		return nil, nil
	case s.Status == StatusFrozen:
		return nil, ErrNotIssued
	case len(s.Payments) > 0:
		return nil, ErrPaid
	}
	return []Event{Voided{CustomerID: s.CustomerID, Reason: c.Reason, At: c.At}}, nil
}

// SendToCollections hands the invoice to a collector.
type SendToCollections struct {
	At time.Time
}

// Decide hands over once, while something is owed.
func (c SendToCollections) Decide(s State) ([]Event, error) {
	if err := s.inForce(); err != nil {
		return nil, err
	}
	switch {
	case s.InCollections:
		return nil, nil
	case s.Balance().Amount == 0:
		return nil, ErrNothingOwed
	}
	return []Event{SentToCollections{CustomerID: s.CustomerID, Balance: s.Balance(), At: c.At}}, nil
}
