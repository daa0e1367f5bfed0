package invoice_test

import (
	"testing"
	"time"

	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
)

func expense(n int, amount int64) invoice.ExpenseAdded {
	return invoice.ExpenseAdded{
		CustomerID: customer, ChargeID: domaintest.ID(n), Description: "Postage", Amount: euros(amount), At: at,
	}
}

func lateFee(n int, amount int64) invoice.LateFeeAdded {
	return invoice.LateFeeAdded{
		CustomerID: customer, ChargeID: domaintest.ID(n), Description: "Late", Amount: euros(amount), At: at,
	}
}

func creditNote(n int, amount, surplus int64) invoice.CreditNoteIssued {
	return invoice.CreditNoteIssued{
		CustomerID: customer, CreditNoteID: domaintest.ID(n), Amount: euros(amount), Surplus: euros(surplus),
		Reason: "Half done.", At: at,
	}
}

func TestCharges(t *testing.T) {
	t.Parallel()
	add := invoice.AddExpense{ChargeID: domaintest.ID(20), Description: "Postage", Amount: euros(1100), At: at}
	fee := invoice.AddLateFee{ChargeID: domaintest.ID(21), Description: "Late", Amount: euros(3650), At: at}
	domaintest.Run(t, []decision{
		{Name: "an expense", Given: inForce(), When: add, Then: events{expense(20, 1100)}},
		{Name: "an expense again", Given: inForce(expense(20, 1100)), When: add},
		{Name: "a late fee", Given: inForce(), When: fee, Then: events{lateFee(21, 3650)}},
		{Name: "a late fee again", Given: inForce(lateFee(21, 3650)), When: fee},
		{Name: "a late fee on what is paid", Given: inForce(paid(10, 12200, 0)), When: fee, Then: events{lateFee(21, 3650)}},
		{Name: "under an id in use for another amount", Given: inForce(expense(20, 1)), When: add, Refused: invoice.ErrIDTaken},
		{Name: "under an id in use for another kind", Given: inForce(lateFee(20, 1100)), When: add, Refused: invoice.ErrIDTaken},
		{Name: "one more than a hundred", Given: inForce(hundredCharges()...), When: add, Refused: invoice.ErrTooMany},
		{Name: "on a draft", Given: events{drafted()}, When: add, Refused: invoice.ErrNotIssued},
		{Name: "on what is void", Given: inForce(voided()), When: fee, Refused: invoice.ErrVoid},
		{Name: "on nothing", When: fee, Refused: invoice.ErrNotFound},
		{
			Name: "more than there can be", Given: inForce(lateFee(21, money.Max-12200)), When: add,
			Faults: []string{"amount: amount_too_large"},
		},
		{
			Name: "of nothing", Given: inForce(), When: invoice.AddLateFee{Amount: euros(0)},
			Faults: []string{"chargeId: not_an_id", "description: required", "amount: not_positive"},
		},
		{
			Name: "less than nothing", Given: inForce(),
			When:   invoice.AddExpense{ChargeID: domaintest.ID(20), Description: "Postage", Amount: euros(-1)},
			Faults: []string{"amount: not_positive"},
		},
	})
}

func hundredCharges() events {
	var given events
	for n := range 100 {
		given = append(given, expense(1000+n, 1))
	}
	return given
}

func TestReceivePayment(t *testing.T) {
	t.Parallel()
	receive := func(amount int64) invoice.ReceivePayment {
		return invoice.ReceivePayment{PaymentID: domaintest.ID(10), Amount: euros(amount), At: at}
	}
	domaintest.Run(t, []decision{
		{Name: "a part", Given: inForce(), When: receive(5000), Then: events{paid(10, 5000, 0)}},
		{Name: "the rest", Given: inForce(paid(9, 5000, 0)), When: receive(7200), Then: events{paid(10, 7200, 0)}},
		{Name: "all of it", Given: inForce(), When: receive(12200), Then: events{paid(10, 12200, 0)}},
		{Name: "too much", Given: inForce(), When: receive(12500), Then: events{paid(10, 12200, 300)}},
		{Name: "when nothing is owed", Given: inForce(paid(9, 12200, 0)), When: receive(300), Then: events{paid(10, 0, 300)}},
		{Name: "on what is void", Given: inForce(voided()), When: receive(300), Then: events{paid(10, 0, 300)}},
		{
			Name:  "a charge after a surplus is owed all the same",
			Given: inForce(paid(9, 12200, 300), lateFee(21, 3650)),
			When:  receive(4000), Then: events{paid(10, 3650, 350)},
		},
		{Name: "again", Given: inForce(paid(10, 5000, 0)), When: receive(5000)},
		{Name: "the same amount by another payment", Given: inForce(paid(9, 5000, 0)), When: receive(5000), Then: events{paid(10, 5000, 0)}},
		{Name: "another amount by the same payment", Given: inForce(paid(10, 5000, 0)), When: receive(5001), Refused: invoice.ErrIDTaken},
		{Name: "on what is frozen", Given: events{drafted(), frozen()}, When: receive(5000), Refused: invoice.ErrNotIssued},
		{Name: "on a draft that was voided", Given: events{drafted(), voided()}, When: receive(5000), Refused: invoice.ErrNotIssued},
		{Name: "on nothing", When: receive(5000), Refused: invoice.ErrNotFound},
		{Name: "of nothing", Given: inForce(), When: receive(0), Faults: []string{"amount: not_positive"}},
		{
			Name: "in yen", Given: inForce(),
			When:   invoice.ReceivePayment{PaymentID: domaintest.ID(10), Amount: money.Money{Amount: 5000, Currency: "JPY"}, At: at},
			Faults: []string{"amount: currency_mismatch"},
		},
	})
}

func TestIssueCreditNote(t *testing.T) {
	t.Parallel()
	credit := func(amount int64) invoice.IssueCreditNote {
		return invoice.IssueCreditNote{CreditNoteID: domaintest.ID(30), Amount: euros(amount), Reason: "Half done.", At: at}
	}
	domaintest.Run(t, []decision{
		{Name: "for a part", Given: inForce(), When: credit(2200), Then: events{creditNote(30, 2200, 0)}},
		{Name: "for all", Given: inForce(), When: credit(12200), Then: events{creditNote(30, 12200, 0)}},
		{Name: "for a part that was paid", Given: inForce(paid(10, 12000, 0)), When: credit(2200), Then: events{creditNote(30, 2200, 2000)}},
		{Name: "again", Given: inForce(creditNote(30, 2200, 0)), When: credit(2200)},
		{Name: "another under the same id", Given: inForce(creditNote(30, 1, 0)), When: credit(2200), Refused: invoice.ErrIDTaken},
		{Name: "for more than is billed", Given: inForce(creditNote(31, 1, 0)), When: credit(12200), Faults: []string{"amount: above_billed"}},
		{Name: "one more than a hundred", Given: inForce(hundredCreditNotes()...), When: credit(1), Refused: invoice.ErrTooMany},
		{Name: "on what is void", Given: inForce(voided()), When: credit(1), Refused: invoice.ErrVoid},
		{Name: "on a draft", Given: events{drafted()}, When: credit(1), Refused: invoice.ErrNotIssued},
		{
			Name: "that is not well formed", Given: inForce(), When: invoice.IssueCreditNote{Amount: euros(0)},
			Faults: []string{"creditNoteId: not_an_id", "reason: required", "amount: not_positive"},
		},
	})
}

func hundredCreditNotes() events {
	var given events
	for n := range 100 {
		given = append(given, creditNote(1000+n, 1, 0))
	}
	return given
}

func TestVoid(t *testing.T) {
	t.Parallel()
	void := invoice.Void{Reason: "Twice.", At: at}
	domaintest.Run(t, []decision{
		{Name: "a draft", Given: events{drafted()}, When: void, Then: events{voided()}},
		{Name: "an invoice", Given: inForce(), When: void, Then: events{voided()}},
		{Name: "again", Given: inForce(voided()), When: void},
		{Name: "on its way to a number", Given: events{drafted(), frozen()}, When: void, Refused: invoice.ErrNotIssued},
		{Name: "what was paid in part", Given: inForce(paid(10, 1, 0)), When: void, Refused: invoice.ErrPaid},
		{Name: "nothing", When: void, Refused: invoice.ErrNotFound},
		{Name: "without a reason", Given: inForce(), When: invoice.Void{At: at}, Faults: []string{"reason: required"}},
	})
}

func TestSendToCollections(t *testing.T) {
	t.Parallel()
	collect := invoice.SendToCollections{At: at}
	handed := invoice.SentToCollections{CustomerID: customer, Balance: euros(7200), At: at}
	domaintest.Run(t, []decision{
		{Name: "what is left", Given: inForce(paid(10, 5000, 0)), When: collect, Then: events{handed}},
		{Name: "again", Given: inForce(paid(10, 5000, 0), handed), When: collect},
		{Name: "what is paid", Given: inForce(paid(10, 12200, 0)), When: collect, Refused: invoice.ErrNothingOwed},
		{Name: "what is void", Given: inForce(voided()), When: collect, Refused: invoice.ErrVoid},
		{Name: "nothing", When: collect, Refused: invoice.ErrNotFound},
		{
			Name: "paid after it was handed over", Given: inForce(handed),
			When: invoice.ReceivePayment{PaymentID: domaintest.ID(10), Amount: euros(12200), At: at.Add(time.Hour)},
			Then: events{invoice.PaymentReceived{
				CustomerID: customer, PaymentID: domaintest.ID(10),
				Received: euros(12200), Allocated: euros(12200), Surplus: euros(0), At: at.Add(time.Hour),
			}},
		},
	})
}
