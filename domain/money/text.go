package money

import (
	"fmt"
	"strconv"
	"strings"

	"portal.example/domain"
)

// Decimal writes the amount with the decimals of its currency and nothing
// else: "1234.50", "-0.05", "500" yen. How people write it is up to the page.
func (m Money) Decimal() string {
	return m.decimal(m.Currency.Exponent())
}

// String is the amount and its currency: "1234.50 EUR".
func (m Money) String() string {
	return m.Decimal() + " " + string(m.Currency)
}

func (m Money) decimal(exponent int) string {
	digits := strconv.FormatUint(magnitude(m.Amount), 10)
	if missing := exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if exponent > 0 {
		point := len(digits) - exponent
		digits = digits[:point] + "." + digits[point:]
	}
	if m.Amount < 0 {
		return "-" + digits
	}
	return digits
}

func trimZeros(decimal string) string {
	return strings.TrimRight(decimal, "0")
}

// Parse reads what Decimal writes. It takes fewer decimals than the currency
// has and never more: "12.345" of euros is refused, not rounded.
func Parse(text string, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, ErrUnknownCurrency
	}
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	switch {
	case !isDigits(whole) || point && !isDigits(fraction):
		return Money{}, notAnAmount(text, c)
	case len(fraction) > c.Exponent():
		return Money{}, notAnAmount(text, c)
	}
	padded := whole + fraction + strings.Repeat("0", c.Exponent()-len(fraction))
	amount, err := strconv.ParseInt(padded, 10, 64)
	if err != nil {
		return Money{}, ErrOverflow // digits alone fail for no other reason
	}
	if negative {
		amount = -amount
	}
	return New(amount, c)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func notAnAmount(text string, c Currency) error {
	return &domain.Error{
		Kind:    domain.Invalid,
		Code:    "not_an_amount",
		Message: fmt.Sprintf("%.40q is no amount in %s, which has %d decimals", text, c, c.Exponent()),
		Args:    map[string]string{"currency": string(c), "decimals": strconv.Itoa(c.Exponent())},
	}
}
