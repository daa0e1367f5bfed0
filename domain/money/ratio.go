package money

import (
	"math/bits"
	"strconv"

	"portal.example/domain"
)

// Rate is a tax rate in millionths: 8.875 % is 88,750.
type Rate int32

// MaxRate is 100 %.
const MaxRate Rate = 1_000_000

// Of is the tax on a net amount, rounded half away from zero to a minor unit:
// 0.5 becomes 1 and -0.5 becomes -1. It is applied once for each rate to the
// sum of a document's net amounts at that rate, never line by line, which is
// how EN 16931 (BT-117) and Japan's qualified invoices have it.
func (r Rate) Of(net Money) (Money, error) {
	return net.scaled(int64(r), int64(MaxRate))
}

// CheckRate demands a rate from 0 to 100 %.
func CheckRate(check *domain.Check, field string, r Rate) {
	if r < 0 || r > MaxRate {
		check.Fail(field, "not_a_rate", "must be from 0 to 1000000 millionths")
	}
}

// Quantity is how much of something, in thousandths: an hour and a half is
// 1,500.
type Quantity int64

// MaxQuantity is a million of something.
const MaxQuantity Quantity = 1_000_000_000

// At is the price of the quantity, rounded half away from zero to a minor unit.
func (q Quantity) At(price Money) (Money, error) {
	return price.scaled(int64(q), 1000)
}

// CheckQuantity demands more than nothing and at most MaxQuantity.
func CheckQuantity(check *domain.Check, field string, q Quantity) {
	if q < 1 || q > MaxQuantity {
		check.Fail(field, "not_a_quantity", "must be from 1 to 1000000000 thousandths")
	}
}

// String writes the quantity without needless zeros: "1.5".
func (q Quantity) String() string {
	whole, rest := int64(q)/1000, int64(q)%1000
	if rest == 0 {
		return strconv.FormatInt(whole, 10)
	}
	return trimZeros(Money{Amount: int64(q)}.decimal(3))
}

// scaled is m * numerator / denominator by way of 128 bits, rounded half away
// from zero.
func (m Money) scaled(numerator, denominator int64) (Money, error) {
	negative := (m.Amount < 0) != (numerator < 0)
	high, low := bits.Mul64(magnitude(m.Amount), magnitude(numerator))
	low, carry := bits.Add64(low, uint64(denominator)/2, 0)
	high += carry
	if high >= uint64(denominator) {
		return Money{}, ErrOverflow
	}
	quotient, _ := bits.Div64(high, low, uint64(denominator))
	if quotient > Max {
		return Money{}, ErrOverflow
	}
	m.Amount = int64(quotient)
	if negative {
		m.Amount = -m.Amount
	}
	return m, nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
