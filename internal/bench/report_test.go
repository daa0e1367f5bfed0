package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0.0123: "0.012", 0.62: "0.62", 1.1: "1.10", 12.34: "12.3", 123.4: "123", 1234: "1234",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func aReport() Report {
	return Report{
		At: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), Took: 90 * time.Second,
		Options: Options{Runs: 3, Window: 5 * time.Second, Warmup: time.Second, Read: 200_000, Small: 10_000, Events: 1_000_000},
		Rows: []Result{
			{
				Name: "append", Subject: "node", Against: "Postgres", Budget: atLeast(1.1), Aim: atLeast(1.5),
				Own: 14, Other: 10, Measured: 1.4, Each: []float64{1.3, 1.5, 1.4}, Verdict: BudgetMet,
			},
			{Name: "append", Subject: "node", Against: "Emmett", Budget: atLeast(5), Verdict: NotMeasured, Why: "npm is not installed"},
			{Name: "opening", Subject: "node", Budget: atMost(0.5), Unit: "s", Measured: 0.71, Each: []float64{0.71}, Verdict: Over},
		},
		Sides: []Taken{{Group: "append", Side: "node", Samples: []Sample{{Rate: 14_000, P50: 2}, {Rate: 15_000, P50: 1}, {Rate: 9_000, P50: 3}}}},
	}
}

func TestTableAndDocumentSayTheSame(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	if err := aReport().print(&table); err != nil {
		t.Fatal(err)
	}
	document := aReport().document()
	for _, want := range []string{
		"≥ 1.10×", "1.40×", "1.30–1.50", "budget met", "not measured: npm is not installed",
		"≤ 0.50 s", "0.71 s", "over", "3 rows in 1m30s: 1 budget met, 1 over, 1 not measured.",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
		if !strings.Contains(document, want) {
			t.Errorf("the document lacks %q:\n%s", want, document)
		}
	}
	if want := "| append | node | 14,000/s · p50 2.00 ms |"; !strings.Contains(document, want) {
		t.Errorf("the document lacks the medians %q:\n%s", want, document)
	}
}

func TestReportSurvivesItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run.json")
	if err := aReport().save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aReport(), got); diff != "" {
		t.Error(diff)
	}
}
