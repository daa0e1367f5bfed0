// Package account is a customer's credit with the business: what they paid
// beyond what they owed.
//
// Stream: account-<customer>.
//
// An account is so small yet that its events, state and decision share a file.
package account

import (
	"slices"
	"time"

	"portal.example/domain"
	"portal.example/domain/money"
)

// Category is the category of the streams.
const Category = "account"

// Stream is the account of a customer.
func Stream(customerID string) string { return Category + "-" + customerID }

// Event is something that happened to an account.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"AccountCredited": Credited{},
}

// Credited says that the business owes the customer more than before.
type Credited struct {
	CustomerID string      `json:"customerId"`
	BusinessID string      `json:"businessId"`
	Source     Source      `json:"source"`
	SourceID   string      `json:"sourceId"`  // of the payment or the credit note
	InvoiceID  string      `json:"invoiceId"` // on which it was too much
	Amount     money.Money `json:"amount"`
	At         time.Time   `json:"at"`
}

func (Credited) isEvent() {}

// Source is where credit comes from.
type Source string

// The sources of credit.
const (
	FromPayment    Source = "payment"     // surplus of a payment
	FromCreditNote Source = "credit-note" // for what had been paid already
)

// State is an account as its events tell it.
type State struct {
	Balances []money.Money // one for each currency, in order of appearance
	Sources  []string      // ids of the payments and credit notes behind them
}

// Balance is the credit in a currency.
func (s State) Balance(c money.Currency) money.Money {
	if i := s.index(c); i >= 0 {
		return s.Balances[i]
	}
	return money.Zero(c)
}

func (s State) index(c money.Currency) int {
	return slices.IndexFunc(s.Balances, func(m money.Money) bool { return m.Currency == c })
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Credited:
		s.Sources = append(slices.Clip(s.Sources), e.SourceID)
		s.Balances = slices.Clone(s.Balances)
		if i := s.index(e.Amount.Currency); i >= 0 {
			s.Balances[i] = s.Balances[i].Plus(e.Amount)
		} else {
			s.Balances = append(s.Balances, e.Amount)
		}
	}
	return s
}

// Credit gives the customer what an invoice could not take.
type Credit struct {
	CustomerID string
	BusinessID string
	Source     Source
	SourceID   string
	InvoiceID  string
	Amount     money.Money
	At         time.Time
}

// Decide credits each payment and each credit note once.
func (c Credit) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.ID("customerId", c.CustomerID)
	check.ID("businessId", c.BusinessID)
	domain.OneOf(&check, "source", c.Source, FromPayment, FromCreditNote)
	check.ID("sourceId", c.SourceID)
	check.ID("invoiceId", c.InvoiceID)
	money.CheckCurrency(&check, "amount.currency", c.Amount.Currency)
	money.CheckEntry(&check, "amount", c.Amount, c.Amount.Currency)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if slices.Contains(s.Sources, c.SourceID) {
		return nil, nil
	}
	if _, err := s.Balance(c.Amount.Currency).Add(c.Amount); err != nil {
		check.Add("amount", err)
		return nil, check.Err()
	}
	return []Event{Credited(c)}, nil
}
