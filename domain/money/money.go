// Package money counts in minor units: an amount is an integer of cents, yen or
// fils together with its currency, and never a float. Arithmetic that could go
// wrong says so instead of wrapping around or rounding in silence.
package money

import (
	"fmt"

	"portal.example/domain"
)

// Max is the greatest amount, either side of zero. Amounts travel as JSON
// numbers, which many readers hold in doubles: beyond 2^53 they would change
// unnoticed.
const Max = 1<<53 - 1

// MaxEntry is the greatest amount that anybody may enter at once. It is so far
// below Max that thousands of entries still add up.
const MaxEntry = 1_000_000_000_000

// Money is an amount in the minor units of its currency. The zero Money is no
// money at all: an optional amount that was left out.
type Money struct {
	Amount   int64    `json:"amount"`
	Currency Currency `json:"currency"`
}

// What arithmetic refuses.
var (
	ErrMixed    = &domain.Error{Kind: domain.Invalid, Code: "currency_mismatch", Message: "the currencies differ"}
	ErrOverflow = &domain.Error{Kind: domain.TooLarge, Code: "amount_too_large", Message: "the amount is too large"}
)

// New is an amount of a currency, if the currency is known and the amount is
// within Max.
func New(amount int64, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, ErrUnknownCurrency
	}
	return Money{Amount: amount, Currency: c}.checked()
}

// Zero is nothing in a currency.
func Zero(c Currency) Money {
	return Money{Currency: c}
}

func (m Money) checked() (Money, error) {
	if m.Amount > Max || m.Amount < -Max {
		return Money{}, ErrOverflow
	}
	return m, nil
}

// Add is m + n; both must be of one currency.
func (m Money) Add(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, mixed(m.Currency, n.Currency)
	}
	if _, err := n.checked(); err != nil {
		return Money{}, err
	}
	if _, err := m.checked(); err != nil {
		return Money{}, err
	}
	return m.Plus(n).checked() // two amounts within Max cannot wrap around
}

// Sub is m - n; both must be of one currency.
func (m Money) Sub(n Money) (Money, error) {
	return m.Add(Money{Amount: -n.Amount, Currency: n.Currency})
}

func mixed(want, got Currency) error {
	refusal := *ErrMixed
	refusal.Message = fmt.Sprintf("must be in %.3s, not %.3s", want, got)
	refusal.Args = map[string]string{"want": string(want), "got": string(got)}
	return &refusal
}

// Plus is m + n without a check. It is for folds, which cannot refuse: the
// decision behind the event has made the same sum with Add.
func (m Money) Plus(n Money) Money {
	return Money{Amount: m.Amount + n.Amount, Currency: m.Currency}
}

// Minus is m - n without a check; see Plus.
func (m Money) Minus(n Money) Money {
	return Money{Amount: m.Amount - n.Amount, Currency: m.Currency}
}

// Min is the smaller of two amounts of one currency.
func Min(m, n Money) Money {
	return Money{Amount: min(m.Amount, n.Amount), Currency: m.Currency}
}

// CheckEntry demands an amount that somebody may enter: in the currency of the
// document, more than zero and at most MaxEntry.
func CheckEntry(check *domain.Check, field string, m Money, in Currency) {
	if m.Currency == in && m.Amount == 0 {
		check.Fail(field, "not_positive", "must be more than zero")
		return
	}
	CheckOptional(check, field, m, in)
}

// CheckOptional is CheckEntry for an amount that may be zero.
func CheckOptional(check *domain.Check, field string, m Money, in Currency) {
	switch {
	case m.Currency != in:
		check.Add(field, mixed(in, m.Currency))
	case m.Amount < 0:
		check.Fail(field, "not_positive", "must not be less than zero")
	case m.Amount > MaxEntry:
		check.Add(field, ErrOverflow)
	}
}
