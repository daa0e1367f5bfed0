package money_test

import (
	"testing"

	"portal.example/domain/money"
)

// Whatever is read is within the limits, and is written so that it reads the
// same again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"12.34", "-0.01", "007", "1e3", "9007199254740.991", "", "-", ".", "１"} {
		f.Add(seed, "KWD")
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		m, err := money.Parse(text, money.Currency(currency))
		if err != nil {
			return
		}
		if m.Amount > money.Max || m.Amount < -money.Max || !m.Currency.Known() {
			t.Errorf("%q was read as %+v", text, m)
		}
		if again, err := money.Parse(m.Decimal(), m.Currency); err != nil || again != m {
			t.Errorf("%q reads %s, which reads %s, error %v", text, m, again, err)
		}
	})
}
