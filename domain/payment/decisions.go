package payment

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/money"
)

// What a payment can be refused for.
var (
	ErrNotFound  = &domain.Error{Kind: domain.NotFound, Code: "payment_not_found", Message: "there is no such payment"}
	ErrExists    = &domain.Error{Kind: domain.Conflict, Code: "payment_exists", Message: "the payment is recorded already"}
	ErrUnequal   = &domain.Error{Kind: domain.Conflict, Code: "payment_unequal", Message: "what is allocated and what is credited do not come to what was received"}
	ErrElsewhere = &domain.Error{Kind: domain.Conflict, Code: "payment_settled", Message: "the payment was settled in another way"}
)

// Record says that money arrived for an invoice. Whoever sends it has looked up
// that the invoice is issued, is the customer's, and is in this currency:
// afterwards it is too late to refuse.
type Record struct {
	PaymentID  string
	BusinessID string
	CustomerID string
	InvoiceID  string
	Currency   money.Currency // of the invoice
	Method     Method
	Amount     money.Money
	Reference  string
	At         time.Time // when the money arrived
}

// Decide records a payment once. Two payments of the same amount are two.
func (c Record) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.ID("paymentId", c.PaymentID)
	check.ID("businessId", c.BusinessID)
	check.ID("customerId", c.CustomerID)
	check.ID("invoiceId", c.InvoiceID)
	domain.OneOf(&check, "method", c.Method, Cash, Cheque, Transfer, Unstated)
	money.CheckEntry(&check, "amount", c.Amount, c.Currency)
	check.OptionalLine("reference", c.Reference, domain.MaxName)
	check.Time("at", c.At)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if s.ID != "" {
		return nil, ErrExists
	}
	return []Event{Recorded{
		PaymentID: c.PaymentID, BusinessID: c.BusinessID, CustomerID: c.CustomerID, InvoiceID: c.InvoiceID,
		Method: c.Method, Amount: c.Amount, Reference: c.Reference, At: c.At,
	}}, nil
}

// Settle says where the payment went, in the words of the invoice's
// PaymentReceived.
type Settle struct {
	Allocated money.Money
	Surplus   money.Money
	At        time.Time
}

// Decide settles a payment once, to the last unit: never more than was
// received, and never less.
func (c Settle) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	money.CheckOptional(&check, "allocated", c.Allocated, s.Amount.Currency)
	money.CheckOptional(&check, "surplus", c.Surplus, s.Amount.Currency)
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case c.Allocated.Plus(c.Surplus) != s.Amount:
		return nil, ErrUnequal
	case s.Allocated == c.Allocated && s.Credited == c.Surplus:
		return nil, nil
	case s.Unsettled().Amount == 0:
		return nil, ErrElsewhere
	}
	var events []Event
	if c.Allocated.Amount > 0 {
		events = append(events, Allocated{
			CustomerID: s.CustomerID, InvoiceID: s.InvoiceID, Amount: c.Allocated, At: c.At,
		})
	}
	if c.Surplus.Amount > 0 {
		events = append(events, Credited{CustomerID: s.CustomerID, Amount: c.Surplus, At: c.At})
	}
	return events, nil
}
