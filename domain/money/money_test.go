package money_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/money"
)

// forTesting is the code that ISO 4217 sets aside for tests. No money is in it.
const forTesting = money.Currency("XTS")

func TestExponents(t *testing.T) {
	t.Parallel()
	for currency, want := range map[money.Currency]int{
		"EUR": 2, "USD": 2, "HUF": 2, "TWD": 2, "JPY": 0, "ISK": 0, "UGX": 0, "KRW": 0, "KWD": 3, "BHD": 3, "TND": 3,
	} {
		if got := currency.Exponent(); got != want || !currency.Known() {
			t.Errorf("%s has %d decimals, want %d", currency, got, want)
		}
	}
	for _, currency := range []money.Currency{"", "eur", "EURO", "XAU", forTesting, "DEM"} {
		if currency.Known() {
			t.Errorf("%q is taken for a currency in use", currency)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		money money.Money
		want  string
	}{
		{money.Money{Amount: 123450, Currency: "EUR"}, "1234.50 EUR"},
		{money.Money{Amount: -5, Currency: "EUR"}, "-0.05 EUR"},
		{money.Money{Amount: 0, Currency: "EUR"}, "0.00 EUR"},
		{money.Money{Amount: 500, Currency: "JPY"}, "500 JPY"},
		{money.Money{Amount: 1, Currency: "KWD"}, "0.001 KWD"},
		{money.Money{Amount: -money.Max, Currency: "KWD"}, "-9007199254740.991 KWD"},
	}
	for _, test := range tests {
		if got := test.money.String(); got != test.want {
			t.Errorf("%+v reads %q, want %q", test.money, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	taken := map[string]int64{"12": 1200, "12.3": 1230, "12.34": 1234, "-0.01": -1, "007": 700}
	for text, want := range taken {
		got, err := money.Parse(text, "EUR")
		if err != nil || got.Amount != want || got.Currency != "EUR" {
			t.Errorf("%q is %v, error %v", text, got, err)
		}
	}
	refused := map[string]string{
		"": "not_an_amount", "-": "not_an_amount", ".5": "not_an_amount", "5.": "not_an_amount",
		"+5": "not_an_amount", "1,50": "not_an_amount", "1 000": "not_an_amount", "1e3": "not_an_amount",
		"--1": "not_an_amount", "１": "not_an_amount", "12.345": "not_an_amount",
		"90071992547409.92": "amount_too_large", "99999999999999999999": "amount_too_large",
	}
	for text, want := range refused {
		_, err := money.Parse(text, "EUR")
		if !errors.Is(err, &domain.Error{Code: want}) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := money.Parse("1.0", "JPY"); err == nil {
		t.Error("yen with a decimal were taken")
	}
	if _, err := money.Parse("1", forTesting); !errors.Is(err, money.ErrUnknownCurrency) {
		t.Errorf("an unknown currency: %v", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(money.Money{Amount: 1234, Currency: "EUR"})
	if err != nil || string(encoded) != `{"amount":1234,"currency":"EUR"}` {
		t.Errorf("error %v: %s", err, encoded)
	}
	var m money.Money
	for _, float := range []string{`{"amount":12.5}`, `{"amount":1e3}`, `{"amount":"1"}`, `{"amount":1.0}`} {
		if err := json.Unmarshal([]byte(float), &m); err == nil {
			t.Errorf("%s was taken", float)
		}
	}
}

func TestWhatArithmeticRefuses(t *testing.T) {
	t.Parallel()
	most := money.Money{Amount: money.Max, Currency: "EUR"}
	one := money.Money{Amount: 1, Currency: "EUR"}
	tests := map[string]struct {
		do   func() (money.Money, error)
		want error
	}{
		"a sum too large":         {func() (money.Money, error) { return most.Add(one) }, money.ErrOverflow},
		"a difference too large":  {func() (money.Money, error) { return money.Zero("EUR").Sub(most.Plus(one)) }, money.ErrOverflow},
		"euros and yen":           {func() (money.Money, error) { return one.Add(money.Zero("JPY")) }, money.ErrMixed},
		"euros less yen":          {func() (money.Money, error) { return one.Sub(money.Zero("JPY")) }, money.ErrMixed},
		"a product too large":     {func() (money.Money, error) { return money.Quantity(1001).At(most) }, money.ErrOverflow},
		"a product of 128 bits":   {func() (money.Money, error) { return money.MaxQuantity.At(most) }, money.ErrOverflow},
		"an amount too large":     {func() (money.Money, error) { return money.New(money.Max+1, "EUR") }, money.ErrOverflow},
		"an amount of no clams":   {func() (money.Money, error) { return money.New(1, "CLM") }, money.ErrUnknownCurrency},
		"the most there is is ok": {func() (money.Money, error) { return money.New(-money.Max, "EUR") }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := test.do(); !errors.Is(err, test.want) {
				t.Errorf("got %v, error %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestEntriesAreChecked(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		entry    money.Money
		required []string
		optional []string
	}{
		"an amount":        {money.Money{Amount: 1, Currency: "EUR"}, nil, nil},
		"the most":         {money.Money{Amount: money.MaxEntry, Currency: "EUR"}, nil, nil},
		"nothing":          {money.Zero("EUR"), []string{"f: not_positive"}, nil},
		"less":             {money.Money{Amount: -1, Currency: "EUR"}, []string{"f: not_positive"}, []string{"f: not_positive"}},
		"more":             {money.Money{Amount: money.MaxEntry + 1, Currency: "EUR"}, []string{"f: amount_too_large"}, []string{"f: amount_too_large"}},
		"another currency": {money.Money{Amount: 1, Currency: "JPY"}, []string{"f: currency_mismatch"}, []string{"f: currency_mismatch"}},
		"left out":         {money.Money{}, []string{"f: currency_mismatch"}, []string{"f: currency_mismatch"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var required, optional domain.Check
			money.CheckEntry(&required, "f", test.entry, "EUR")
			money.CheckOptional(&optional, "f", test.entry, "EUR")
			if diff := cmp.Diff(test.required, domaintest.Faults(required.Err())); diff != "" {
				t.Errorf("required (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.optional, domaintest.Faults(optional.Err())); diff != "" {
				t.Errorf("optional (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRatesAndQuantities(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func() (money.Money, error)
		want int64
	}{
		"22 % of 10.00":                  {func() (money.Money, error) { return money.Rate(220_000).Of(euros(1000)) }, 220},
		"8.875 % of 19.99":               {func() (money.Money, error) { return money.Rate(88_750).Of(euros(1999)) }, 177}, // 177.41
		"10 % of 0.05 is half a cent up": {func() (money.Money, error) { return money.Rate(100_000).Of(euros(5)) }, 1},
		"10 % of 0.04":                   {func() (money.Money, error) { return money.Rate(100_000).Of(euros(4)) }, 0},
		"and of -0.05 down":              {func() (money.Money, error) { return money.Rate(100_000).Of(euros(-5)) }, -1},
		"nothing of it":                  {func() (money.Money, error) { return money.Rate(0).Of(euros(1000)) }, 0},
		"all of it":                      {func() (money.Money, error) { return money.MaxRate.Of(euros(money.Max)) }, money.Max},
		"an hour and a half at 45.01":    {func() (money.Money, error) { return money.Quantity(1500).At(euros(4501)) }, 6752}, // 6751.5
		"a thousandth at 4.99":           {func() (money.Money, error) { return money.Quantity(1).At(euros(499)) }, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := test.do(); err != nil || got != euros(test.want) {
				t.Errorf("got %v, error %v, want %v", got, err, euros(test.want))
			}
		})
	}
	for quantity, want := range map[money.Quantity]string{1500: "1.5", 2000: "2", 1: "0.001", 10: "0.01", 1_000_000: "1000"} {
		if got := quantity.String(); got != want {
			t.Errorf("%d thousandths read %q, want %q", quantity, got, want)
		}
	}
	var check domain.Check
	money.CheckRate(&check, "rate", -1)
	money.CheckRate(&check, "rate", money.MaxRate+1)
	money.CheckRate(&check, "fine", 0)
	money.CheckQuantity(&check, "quantity", 0)
	money.CheckQuantity(&check, "quantity", money.MaxQuantity+1)
	money.CheckQuantity(&check, "fine", 1)
	money.CheckCurrency(&check, "currency", forTesting)
	want := []string{
		"rate: not_a_rate", "rate: not_a_rate", "quantity: not_a_quantity", "quantity: not_a_quantity",
		"currency: unknown_currency",
	}
	if diff := cmp.Diff(want, domaintest.Faults(check.Err())); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

func anyMoney(t *rapid.T, label string) money.Money {
	return money.Money{
		Amount:   rapid.Int64Range(-money.Max, money.Max).Draw(t, label),
		Currency: rapid.SampledFrom([]money.Currency{"EUR", "JPY", "KWD"}).Draw(t, label+"'s currency"),
	}
}

func TestTextAndJSONReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney(t, "money")
		if back, err := money.Parse(m.Decimal(), m.Currency); err != nil || back != m {
			t.Fatalf("error %v: %s reads back as %s", err, m, back)
		}
		encoded, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back money.Money
		if err := json.Unmarshal(encoded, &back); err != nil || back != m {
			t.Fatalf("error %v: %s reads back as %s", err, encoded, back)
		}
	})
}

// Sums, products and rates are those of arithmetic without limits, or refused
// exactly where that leaves the limits.
func TestArithmeticAgreesWithBigIntegers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, n := anyMoney(t, "m"), anyMoney(t, "n")
		n.Currency = m.Currency
		quantity := money.Quantity(rapid.Int64Range(0, int64(money.MaxQuantity)).Draw(t, "quantity"))
		rate := money.Rate(rapid.Int32Range(0, int32(money.MaxRate)).Draw(t, "rate"))

		x, y := big.NewInt(m.Amount), big.NewInt(n.Amount)
		sum, err := m.Add(n)
		compare(t, "sum", new(big.Int).Add(x, y), sum, err)
		difference, err := m.Sub(n)
		compare(t, "difference", new(big.Int).Sub(x, y), difference, err)
		price, err := quantity.At(m)
		compare(t, "price", halfAwayFromZero(x, int64(quantity), 1000), price, err)
		tax, err := rate.Of(m)
		compare(t, "tax", halfAwayFromZero(x, int64(rate), 1_000_000), tax, err)
	})
}

func compare(t *rapid.T, what string, want *big.Int, got money.Money, err error) {
	if new(big.Int).Abs(want).Cmp(big.NewInt(money.Max)) > 0 {
		if !errors.Is(err, money.ErrOverflow) {
			t.Fatalf("%s of %v was not refused: %v", what, want, got)
		}
		return
	}
	if err != nil || want.Cmp(big.NewInt(got.Amount)) != 0 {
		t.Fatalf("%s is %v, error %v, want %v", what, got, err, want)
	}
}

func halfAwayFromZero(x *big.Int, numerator, denominator int64) *big.Int {
	ratio := new(big.Rat).SetFrac(new(big.Int).Mul(x, big.NewInt(numerator)), big.NewInt(denominator))
	half := big.NewRat(int64(ratio.Sign()), 2)
	ratio.Add(ratio, half)
	return new(big.Int).Quo(ratio.Num(), ratio.Denom()) // Quo cuts towards zero
}
