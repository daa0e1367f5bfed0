package payment_test

import (
	"testing"

	"portal.example/domain/domaintest"
	"portal.example/domain/money"
	"portal.example/domain/payment"
)

type (
	decision = domaintest.Case[payment.State, payment.Event]
	events   = []payment.Event
)

var (
	at       = domaintest.Noon
	id       = domaintest.ID(1)
	business = domaintest.ID(2)
	customer = domaintest.ID(3)
	bill     = domaintest.ID(4)
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

func recorded() payment.Recorded {
	return payment.Recorded{
		PaymentID: id, BusinessID: business, CustomerID: customer, InvoiceID: bill,
		Method: payment.Cheque, Amount: euros(5000), Reference: "No. 77", At: at,
	}
}

func allocated(amount int64) payment.Allocated {
	return payment.Allocated{CustomerID: customer, InvoiceID: bill, Amount: euros(amount), At: at}
}

func credited(amount int64) payment.Credited {
	return payment.Credited{CustomerID: customer, Amount: euros(amount), At: at}
}

func record(change func(*payment.Record)) payment.Record {
	c := payment.Record{
		PaymentID: id, BusinessID: business, CustomerID: customer, InvoiceID: bill,
		Currency: "EUR", Method: payment.Cheque, Amount: euros(5000), Reference: "No. 77", At: at,
	}
	change(&c)
	return c
}

func TestRecord(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "a cheque", When: record(func(*payment.Record) {}), Then: events{recorded()}},
		{Name: "twice", Given: events{recorded()}, When: record(func(*payment.Record) {}), Refused: payment.ErrExists},
		{Name: "of nothing", When: record(func(c *payment.Record) { c.Amount = euros(0) }), Faults: []string{"amount: not_positive"}},
		{Name: "of less", When: record(func(c *payment.Record) { c.Amount = euros(-1) }), Faults: []string{"amount: not_positive"}},
		{
			Name:   "in another currency than the invoice",
			When:   record(func(c *payment.Record) { c.Currency = "JPY" }),
			Faults: []string{"amount: currency_mismatch"},
		},
		{
			Name: "with nothing right",
			When: payment.Record{Method: "shells", Amount: euros(1), Currency: "EUR", Reference: "a\nb"},
			Faults: []string{
				"paymentId: not_an_id", "businessId: not_an_id", "customerId: not_an_id", "invoiceId: not_an_id",
				"method: not_one_of", "reference: control_character", "at: not_a_time",
			},
		},
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	settle := func(allocated, surplus int64) payment.Settle {
		return payment.Settle{Allocated: euros(allocated), Surplus: euros(surplus), At: at}
	}
	domaintest.Run(t, []decision{
		{Name: "on the invoice", Given: events{recorded()}, When: settle(5000, 0), Then: events{allocated(5000)}},
		{Name: "on both", Given: events{recorded()}, When: settle(4000, 1000), Then: events{allocated(4000), credited(1000)}},
		{Name: "on the account", Given: events{recorded()}, When: settle(0, 5000), Then: events{credited(5000)}},
		{Name: "again", Given: events{recorded(), allocated(4000), credited(1000)}, When: settle(4000, 1000)},
		{
			Name: "in another way", Given: events{recorded(), allocated(4000), credited(1000)},
			When: settle(5000, 0), Refused: payment.ErrElsewhere,
		},
		{Name: "more than was received", Given: events{recorded()}, When: settle(5000, 1), Refused: payment.ErrUnequal},
		{Name: "less than was received", Given: events{recorded()}, When: settle(4999, 0), Refused: payment.ErrUnequal},
		{Name: "with less than nothing", Given: events{recorded()}, When: settle(5001, -1), Faults: []string{"surplus: not_positive"}},
		{
			Name: "in another currency", Given: events{recorded()},
			When:   payment.Settle{Allocated: money.Money{Amount: 5000, Currency: "JPY"}, Surplus: euros(0), At: at},
			Faults: []string{"allocated: currency_mismatch"},
		},
		{Name: "nothing", When: settle(5000, 0), Refused: payment.ErrNotFound},
	})
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, payment.Types, events{recorded(), allocated(4000), credited(1000)})
}
