package payment_test

import (
	"testing"

	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/account"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/payment"
)

// books are the streams that a payment passes through.
type books struct {
	invoice  invoice.State
	account  account.State
	payments []payment.State
}

// Whatever is paid, and wherever the way through the streams is cut off and
// taken up again: all that was received is on the invoice or on the account,
// once and to the last cent.
func TestMoneyIsNeitherLostNorDoubled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := books{invoice: issuedInvoice(t)}
		amounts := rapid.SliceOfN(rapid.Int64Range(1, 20000), 1, 8).Draw(t, "amounts")
		for n, amount := range amounts {
			c := record(func(c *payment.Record) { c.PaymentID, c.Amount = domaintest.ID(100+n), euros(amount) })
			b.payments = append(b.payments, after(t, payment.State{}, c))
			b.pass(t, n, rapid.IntRange(0, 3).Draw(t, "steps before the crash"))
			if rapid.Bool().Draw(t, "fee") {
				b.invoice = after(t, b.invoice, invoice.AddLateFee{
					ChargeID: domaintest.ID(200 + n), Description: "Late", Amount: euros(700), At: at,
				})
			}
		}
		for _, n := range rapid.Permutation(indices(amounts)).Draw(t, "order of the sweep") {
			b.pass(t, n, 3)
		}
		b.check(t, amounts)
	})
}

// pass takes a payment through the first so many of its steps, some of which
// may have been taken before.
func (b *books) pass(t *rapid.T, n, steps int) {
	p := b.payments[n]
	if steps > 0 {
		b.invoice = after(t, b.invoice, invoice.ReceivePayment{PaymentID: p.ID, Amount: p.Amount, At: at})
	}
	if steps < 2 {
		return
	}
	allocated, surplus := b.share(t, p.ID)
	if surplus > 0 {
		b.account = after(t, b.account, account.Credit{
			CustomerID: customer, BusinessID: business, Source: account.FromPayment, SourceID: p.ID,
			InvoiceID: bill, Amount: euros(surplus), At: at,
		})
	}
	if steps > 2 {
		b.payments[n] = after(t, p, payment.Settle{Allocated: euros(allocated), Surplus: euros(surplus), At: at})
	}
}

func (b *books) share(t *rapid.T, paymentID string) (allocated, surplus int64) {
	for _, p := range b.invoice.Payments {
		if p.ID == paymentID {
			return p.Allocated.Amount, p.Received.Amount - p.Allocated.Amount
		}
	}
	t.Fatalf("the invoice does not know payment %s", paymentID)
	return 0, 0
}

func (b *books) check(t *rapid.T, amounts []int64) {
	var received, allocated int64
	for _, amount := range amounts {
		received += amount
	}
	for _, p := range b.payments {
		if p.Unsettled().Amount != 0 {
			t.Fatalf("payment %s is not settled: %+v", p.ID, p)
		}
		allocated += p.Allocated.Amount
	}
	credit := b.account.Balance("EUR").Amount
	if b.invoice.Paid.Amount != received || b.invoice.Credit.Amount != credit || allocated+credit != received {
		t.Fatalf("received %d; the invoice says %s paid and %s credit; allocated %d, on the account %d",
			received, b.invoice.Paid, b.invoice.Credit, allocated, credit)
	}
}

func issuedInvoice(t *rapid.T) invoice.State {
	day := domain.DateOf(at, at.Location())
	s := after(t, invoice.State{}, invoice.Draft{
		InvoiceID: bill, BusinessID: business, CustomerID: customer, Currency: "EUR", At: at,
		Lines: []lines.Line{{ID: "work", Description: "Work", Quantity: 1000, UnitPrice: euros(30000)}},
	})
	s = after(t, s, invoice.Freeze{IssuedOn: day, DueOn: day, At: at})
	return after(t, s, invoice.Issue{Number: 1, At: at})
}

// after is the state once the command was taken.
func after[S domain.Folded[S, E], E any](t *rapid.T, s S, command domain.Decider[S, E]) S {
	happened, err := command.Decide(s)
	if err != nil {
		t.Fatal(err)
	}
	return domain.Fold(s, happened...)
}

func indices(amounts []int64) []int {
	all := make([]int, len(amounts))
	for i := range all {
		all[i] = i
	}
	return all
}
