package payment

import "portal.example/domain/money"

// Method is how money came.
type Method string

// The methods. More come with the ways to pay in the portal.
const (
	Cash     Method = "cash"
	Cheque   Method = "cheque"
	Transfer Method = "transfer"
	Unstated Method = "unstated" // the history it is imported from does not say
)

// State is a payment as its events tell it.
type State struct {
	ID         string
	BusinessID string
	CustomerID string
	InvoiceID  string
	Amount     money.Money
	Allocated  money.Money
	Credited   money.Money
}

// Unsettled is what is not yet known to have gone anywhere.
func (s State) Unsettled() money.Money { return s.Amount.Minus(s.Allocated).Minus(s.Credited) }

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Recorded:
		s.ID, s.BusinessID, s.CustomerID, s.InvoiceID = e.PaymentID, e.BusinessID, e.CustomerID, e.InvoiceID
		s.Amount = e.Amount
		s.Allocated, s.Credited = money.Zero(e.Amount.Currency), money.Zero(e.Amount.Currency)
	case Allocated:
		s.Allocated = s.Allocated.Plus(e.Amount)
	case Credited:
		s.Credited = s.Credited.Plus(e.Amount)
	}
	return s
}
