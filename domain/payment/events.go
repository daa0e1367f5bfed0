// Package payment is money that arrived: recorded by staff or by an import, and
// then settled, which says where it went.
//
// Stream: payment-<payment>.
//
// A payment passes through three streams, each step of which can be repeated
// without harm, so that an interrupted one can always be rolled forward:
//
//  1. Record, here. Money that is there is a fact; from now on nothing refuses it.
//  2. invoice.ReceivePayment: the invoice alone knows what is still owed on it.
//     It takes that much and names the rest as surplus.
//  3. account.Credit, if there is a surplus.
//  4. Settle, here, with what the invoice said. A payment that is recorded and
//     not settled is one that was interrupted.
package payment

import (
	"time"

	"portal.example/domain/money"
)

// Category is the category of the streams.
const Category = "payment"

// Stream is the stream of a payment.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to a payment.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"PaymentRecorded":  Recorded{},
	"PaymentAllocated": Allocated{},
	"PaymentCredited":  Credited{},
}

// Recorded says that money arrived.
type Recorded struct {
	PaymentID  string      `json:"paymentId"`
	BusinessID string      `json:"businessId"`
	CustomerID string      `json:"customerId"`
	InvoiceID  string      `json:"invoiceId"` // that it was paid for
	Method     Method      `json:"method"`
	Amount     money.Money `json:"amount"`
	Reference  string      `json:"reference,omitempty" personal:"CustomerID"` // number of a cheque, text of a transfer
	At         time.Time   `json:"at"`
}

// Allocated says how much of it an invoice took.
type Allocated struct {
	CustomerID string      `json:"customerId"`
	InvoiceID  string      `json:"invoiceId"`
	Amount     money.Money `json:"amount"`
	At         time.Time   `json:"at"`
}

// Credited says how much of it became credit of the customer's account.
type Credited struct {
	CustomerID string      `json:"customerId"`
	Amount     money.Money `json:"amount"`
	At         time.Time   `json:"at"`
}

func (Recorded) isEvent()  {}
func (Allocated) isEvent() {}
func (Credited) isEvent()  {}
