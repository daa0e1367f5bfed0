package main

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	subject, baseline := &Side{Name: "node"}, &Side{Name: "other"}
	rates := func(values ...float64) outcome {
		var o outcome
		for _, v := range values {
			o.samples = append(o.samples, Sample{Rate: v})
		}
		return o
	}
	atLeastTwice := Row{Subject: subject, Baseline: baseline, Figure: Rate, Budget: atLeast(2), Aim: atLeast(3)}
	atMostTwice := Row{Subject: subject, Baseline: baseline, Figure: Rate, Budget: atMost(2), Aim: atMost(1.5)}
	for name, c := range map[string]struct {
		row               Row
		subject, baseline outcome
		measured          float64
		want              Verdict
		fails             bool
	}{
		"aim":              {atLeastTwice, rates(30), rates(10), 3, AimMet, false},
		"budget":           {atLeastTwice, rates(20), rates(10), 2, BudgetMet, false},
		"missed":           {atLeastTwice, rates(19), rates(10), 1.9, Missed, true},
		"medians of three": {atLeastTwice, rates(1, 90, 30), rates(10, 500, 2), 3, AimMet, false},
		"at most, aim":     {atMostTwice, rates(15), rates(10), 1.5, AimMet, false},
		"at most, budget":  {atMostTwice, rates(20), rates(10), 2, BudgetMet, false},
		"at most, missed":  {atMostTwice, rates(21), rates(10), 2.1, Missed, true},
		"no budget":        {Row{Subject: subject, Baseline: baseline, Figure: Rate}, rates(1), rates(10), 0.1, Information, false},
		"own figure":       {Row{Subject: subject, Figure: Rate, Budget: atMost(2)}, rates(1), outcome{}, 1, BudgetMet, false},
		"own figure, over": {Row{Subject: subject, Figure: Rate, Budget: atMost(2)}, rates(3), outcome{}, 3, Over, false},
		"not installed":    {atLeastTwice, rates(1), outcome{err: unavailablef("no npm")}, 0, NotMeasured, false},
		"broken baseline":  {atLeastTwice, rates(1), outcome{err: errors.New("refused")}, 0, Broken, true},
		"broken subject":   {atLeastTwice, outcome{err: errors.New("refused")}, outcome{err: unavailablef("no npm")}, 0, Broken, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := judge(c.row, map[*Side]outcome{subject: c.subject, baseline: c.baseline})
			if got.Verdict != c.want || got.Measured != c.measured || got.Verdict.fails() != c.fails {
				t.Errorf("%s at %v, fails: %v", got.Verdict, got.Measured, got.Verdict.fails())
			}
		})
	}
}

func TestEachRunHasItsRatio(t *testing.T) {
	t.Parallel()
	subject, baseline := &Side{}, &Side{}
	got := judge(Row{Subject: subject, Baseline: baseline, Figure: Rate}, map[*Side]outcome{
		subject:  {samples: []Sample{{Rate: 10}, {Rate: 20}}},
		baseline: {samples: []Sample{{Rate: 10}, {Rate: 10}}},
	})
	if diff := cmp.Diff([]float64{1, 2}, got.Each); diff != "" {
		t.Error(diff)
	}
}
