package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Row is one line of the table: a subject held against a baseline that is
// measured in the same run, right before or after it.
type Row struct {
	Name     string // what is measured; --only finds it by any part of this
	Group    string // rows of a group take turns; the key to their sides' figures
	Figure   Figure
	Subject  *Side
	Baseline *Side // nil: the subject's own figure is looked at
	Budget   Bound // the zero Bound: for information only
	Aim      Bound
	Unit     string // of an own figure; ratios have none
}

// Side is one contender. Measure is called once a run, and starts from the same
// state each time.
type Side struct {
	Name    string
	Measure func(ctx context.Context) (Sample, error)
}

// Sample is what one run of a side gave.
type Sample map[Figure]float64

// Figure names a measured quantity; its unit is always the same.
type Figure string

const (
	Rate    Figure = "rate"    // events a second
	P50     Figure = "p50"     // median latency, milliseconds
	P99     Figure = "p99"     // milliseconds
	ReadAll Figure = "read"    // events a second by ReadAll
	CatchUp Figure = "catchUp" // events a second by a subscription until it has caught up
	Opening Figure = "opening" // from the call to listening, seconds
	Memory  Figure = "memory"  // peak resident memory, MB

	TimelineReplay Figure = "timelineReplay" // events of the projection a second
	InvoicesReplay Figure = "invoicesReplay"
)

// Bound is a limit on a figure or on a ratio of two.
type Bound struct {
	Value  float64 `json:"value"`
	AtMost bool    `json:"atMost,omitempty"` // smaller is better
}

func atLeast(v float64) Bound { return Bound{Value: v} }
func atMost(v float64) Bound  { return Bound{Value: v, AtMost: true} }

func (b Bound) isSet() bool { return b != Bound{} }

func (b Bound) holds(v float64) bool {
	if b.AtMost {
		return v <= b.Value
	}
	return v >= b.Value
}

// unavailable is why a side cannot be measured on this machine: something is
// not installed. It leaves a row unmeasured, which is no pass and no failure.
type unavailable struct{ reason string }

func (u unavailable) Error() string { return u.reason }

func unavailablef(format string, args ...any) error {
	return unavailable{fmt.Sprintf(format, args...)}
}

// Verdict is what came of a row.
type Verdict string

const (
	AimMet      Verdict = "aim met"
	BudgetMet   Verdict = "budget met"
	Missed      Verdict = "MISSED"
	Over        Verdict = "over"         // an own figure past its budget: shown, never a failure
	Information Verdict = "information"  // no budget
	NotMeasured Verdict = "not measured" // something is missing on this machine
	Broken      Verdict = "BROKEN"       // a side failed
)

// fails says whether the whole run has failed because of this row. Only ratios
// can: a figure by itself says as much about the machine as about the program.
func (v Verdict) fails() bool { return v == Missed || v == Broken }

// outcome is what the runs of one side gave, or why there are none.
type outcome struct {
	samples []Sample
	err     error
}

// Result is a row with its figures.
type Result struct {
	Name     string    `json:"name"`
	Group    string    `json:"group"`
	Figure   Figure    `json:"figure"`
	Subject  string    `json:"subject"`
	Against  string    `json:"against,omitempty"`
	Budget   Bound     `json:"budget,omitzero"`
	Aim      Bound     `json:"aim,omitzero"`
	Unit     string    `json:"unit,omitempty"`
	Own      float64   `json:"own"`             // the subject's median over the runs
	Other    float64   `json:"other,omitempty"` // the baseline's
	Measured float64   `json:"measured"`        // ratio of the two, or the subject's own
	Each     []float64 `json:"each,omitempty"`  // the same for each run by itself
	Verdict  Verdict   `json:"verdict"`
	Why      string    `json:"why,omitempty"` // for what could not be measured
}

// judge works a row's result out of its sides' outcomes.
func judge(row Row, outcomes map[*Side]outcome) Result {
	result := Result{
		Name: row.Name, Group: row.Group, Figure: row.Figure, Subject: row.Subject.Name,
		Budget: row.Budget, Aim: row.Aim, Unit: row.Unit,
	}
	if row.Baseline != nil {
		result.Against = row.Baseline.Name
	}
	subject, baseline := outcomes[row.Subject], outcomes[row.Baseline]
	if err := errors.Join(subject.err, baseline.err); err != nil {
		result.Verdict, result.Why = Broken, err.Error()
		if isUnavailable(subject.err) && isUnavailable(baseline.err) {
			result.Verdict = NotMeasured
		}
		return result
	}

	own := pick(subject.samples, row.Figure)
	result.Own = median(own)
	result.Measured, result.Each = result.Own, own
	if row.Baseline != nil {
		other := pick(baseline.samples, row.Figure)
		result.Other = median(other)
		result.Measured, result.Each = result.Own/result.Other, ratios(own, other)
	}
	result.Verdict = verdict(row, result.Measured)
	return result
}

// isUnavailable also holds for no error at all.
func isUnavailable(err error) bool {
	return err == nil || errors.As(err, new(unavailable))
}

func verdict(row Row, measured float64) Verdict {
	switch {
	case !row.Budget.isSet():
		return Information
	case row.Aim.isSet() && row.Aim.holds(measured):
		return AimMet
	case row.Budget.holds(measured):
		return BudgetMet
	case row.Baseline == nil:
		return Over
	default:
		return Missed
	}
}

func pick(samples []Sample, figure Figure) []float64 {
	values := make([]float64, len(samples))
	for i, sample := range samples {
		values[i] = sample[figure]
	}
	return values
}

func ratios(a, b []float64) []float64 {
	values := slices.Clone(a)
	for i := range values {
		values[i] /= b[i]
	}
	return values
}
