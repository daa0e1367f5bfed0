package lines_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

func line(id string, quantity money.Quantity, price int64, rate money.Rate) lines.Line {
	return lines.Line{ID: id, Description: "work", Quantity: quantity, UnitPrice: euros(price), TaxRate: rate}
}

// Tax is rounded once for each rate: three lines of 0.05 at 10 % are 0.015 of
// tax, which is 0.02, though each alone would be rounded up to 0.01.
func TestTaxIsRoundedOnceForEachRate(t *testing.T) {
	t.Parallel()
	got, err := lines.Sum("EUR", []lines.Line{
		line("a", 1000, 5, 100_000), line("b", 1000, 5, 100_000), line("c", 1000, 5, 100_000),
		line("d", 1500, 333, 0), // 499.5 is 5.00
	})
	want := lines.Totals{
		Net: euros(515),
		Taxes: []lines.Tax{
			{Rate: 0, Net: euros(500), Amount: euros(0)},
			{Rate: 100_000, Net: euros(15), Amount: euros(2)},
		},
		Gross: euros(517),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestSumRefuses(t *testing.T) {
	t.Parallel()
	huge := line("a", money.MaxQuantity, money.MaxEntry, 0)
	if _, err := lines.Sum("EUR", []lines.Line{huge}); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("a line that is too large: %v", err)
	}
	large := line("a", 1000, money.Max, 0)
	if _, err := lines.Sum("EUR", []lines.Line{large, large}); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("lines that are too large together: %v", err)
	}
	if _, err := lines.Sum("EUR", []lines.Line{line("a", 1000, money.Max, 1)}); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("a tax that makes it too large: %v", err)
	}
	if _, err := lines.Sum("JPY", []lines.Line{line("a", 1000, 1, 0)}); !errors.Is(err, money.ErrMixed) {
		t.Errorf("a line in another currency: %v", err)
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	t.Parallel()
	var check domain.Check
	lines.Check(&check, "lines", []lines.Line{
		line("a", 1000, 500, 220_000),
		{ID: "a", Description: " ", Quantity: 0, UnitPrice: money.Money{Amount: 1, Currency: "JPY"}, TaxRate: -1},
		{ID: strings.Repeat("x", 41), Description: "work", Quantity: 1, UnitPrice: euros(-1)},
	}, "EUR")
	want := []string{
		"lines[1].id: duplicate",
		"lines[1].description: required",
		"lines[1].quantity: not_a_quantity",
		"lines[1].unitPrice: currency_mismatch",
		"lines[1].taxRate: not_a_rate",
		"lines[2].id: too_long",
		"lines[2].unitPrice: not_positive",
	}
	if diff := cmp.Diff(want, domaintest.Faults(check.Err())); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestCheckCountsLines(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, lines.MaxLines + 1} {
		var check domain.Check
		lines.Check(&check, "lines", make([]lines.Line, n), "EUR")
		if diff := cmp.Diff([]string{"lines: count"}, domaintest.Faults(check.Err())); diff != "" {
			t.Errorf("%d lines (-want +got):\n%s", n, diff)
		}
	}
}

// Gross is net and taxes, what is taxed adds up to net, and neither the order
// of the lines nor how work is cut into lines changes the tax.
func TestTotalsHoldTogether(t *testing.T) {
	t.Parallel()
	oneLine := rapid.Custom(func(t *rapid.T) lines.Line {
		return line("x",
			money.Quantity(rapid.Int64Range(1, 100).Draw(t, "whole")*1000),
			rapid.Int64Range(0, 1_000_000).Draw(t, "price"),
			money.Rate(rapid.SampledFrom([]int32{0, 40_000, 88_750, 220_000}).Draw(t, "rate")))
	})
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(oneLine, 0, 20).Draw(t, "lines")
		totals, err := lines.Sum("EUR", items)
		if err != nil {
			t.Fatal(err)
		}
		taxed, gross := euros(0), totals.Net
		for _, tax := range totals.Taxes {
			taxed, gross = taxed.Plus(tax.Net), gross.Plus(tax.Amount)
		}
		if taxed != totals.Net || gross != totals.Gross {
			t.Fatalf("totals do not add up: %+v", totals)
		}
		var cut []lines.Line
		for _, l := range rapid.Permutation(items).Draw(t, "shuffled") {
			one := l
			one.Quantity = 1000
			for range l.Quantity / 1000 {
				cut = append(cut, one)
			}
		}
		again, err := lines.Sum("EUR", cut)
		if diff := cmp.Diff(totals, again); diff != "" || err != nil {
			t.Fatalf("error %v; cut up (-whole +cut):\n%s", err, diff)
		}
	})
}
