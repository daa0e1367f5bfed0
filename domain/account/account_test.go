package account_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/account"
	"portal.example/domain/domaintest"
	"portal.example/domain/money"
)

type decision = domaintest.Case[account.State, account.Event]

func credited(source int, amount int64, currency money.Currency) account.Credited {
	return account.Credited{
		CustomerID: domaintest.ID(1), BusinessID: domaintest.ID(2), Source: account.FromPayment,
		SourceID: domaintest.ID(source), InvoiceID: domaintest.ID(3),
		Amount: money.Money{Amount: amount, Currency: currency}, At: domaintest.Noon,
	}
}

func TestCredit(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "a surplus", When: account.Credit(credited(10, 300, "EUR")), Then: []account.Event{credited(10, 300, "EUR")}},
		{
			Name: "another of the same amount", Given: []account.Event{credited(10, 300, "EUR")},
			When: account.Credit(credited(11, 300, "EUR")), Then: []account.Event{credited(11, 300, "EUR")},
		},
		{Name: "again", Given: []account.Event{credited(10, 300, "EUR")}, When: account.Credit(credited(10, 300, "EUR"))},
		{
			Name: "more than there can be", Given: []account.Event{credited(10, money.Max, "EUR")},
			When: account.Credit(credited(11, 1, "EUR")), Refused: money.ErrOverflow,
		},
		{
			Name: "of nothing from nowhere",
			When: account.Credit{Amount: money.Zero("EUR")},
			Faults: []string{
				"customerId: not_an_id", "businessId: not_an_id", "source: not_one_of", "sourceId: not_an_id",
				"invoiceId: not_an_id", "amount: not_positive",
			},
		},
		{
			Name:   "in no currency",
			When:   account.Credit(credited(10, 1, "XTS")), // set aside for tests by ISO 4217
			Faults: []string{"amount.currency: unknown_currency"},
		},
	})
}

func TestBalancesAreKeptByCurrency(t *testing.T) {
	t.Parallel()
	s := domain.Fold(account.State{}, []account.Event{
		credited(10, 300, "EUR"), credited(11, 500, "JPY"), credited(12, 200, "EUR"),
	}...)
	for currency, want := range map[money.Currency]int64{"EUR": 500, "JPY": 500, "KWD": 0} {
		if diff := cmp.Diff(money.Money{Amount: want, Currency: currency}, s.Balance(currency)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, account.Types, []account.Event{credited(10, 300, "EUR")})
}

func TestStatesAreApart(t *testing.T) {
	t.Parallel()
	domaintest.Apart[account.State, account.Event](t,
		[]account.Event{credited(10, 1, "EUR"), credited(11, 1, "JPY"), credited(12, 1, "KWD")},
		credited(13, 1, "USD"), credited(14, 1, "GBP"))
}
