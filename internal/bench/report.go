package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Report is a run in the form that --json writes and --from reads.
type Report struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"tookNanoseconds"`
	Short   bool          `json:"short"`
	Partial string        `json:"only,omitempty"` // the rows that --only asked for
	Machine Machine       `json:"machine"`
	Options Options       `json:"options"`
	Rows    []Result      `json:"rows"`
	Sides   []Taken       `json:"sides"`
}

func (r Report) failed() bool {
	return slices.ContainsFunc(r.Rows, func(row Result) bool { return row.Verdict.fails() })
}

func (r Report) save(path string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644) //nolint:gosec // results are for everyone
}

func loadReport(path string) (Report, error) {
	var report Report
	content, err := os.ReadFile(path)
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(content, &report); err != nil {
		return report, fmt.Errorf("%s is no report of this program: %w", path, err)
	}
	return report, nil
}

// header is the first line of cells.
var header = []string{"what", "against", "budget", "aim", "measured", "runs", "verdict"}

// cells is the row as a person reads it.
func (r Result) cells() []string {
	cells := []string{r.Name, r.Against, r.bound(r.Budget), r.bound(r.Aim), "–", "–", string(r.Verdict)}
	if r.Verdict != NotMeasured && r.Verdict != Broken {
		cells[4], cells[5] = r.value(r.Measured), r.spread()
	}
	return cells
}

func (r Result) bound(b Bound) string {
	switch {
	case !b.isSet():
		return ""
	case b.AtMost:
		return "≤ " + r.value(b.Value)
	default:
		return "≥ " + r.value(b.Value)
	}
}

// value writes a ratio, or a figure with its unit.
func (r Result) value(v float64) string {
	if r.Against != "" {
		return number(v) + "×"
	}
	return number(v) + " " + r.Unit
}

// spread is the smallest and the largest of the runs.
func (r Result) spread() string {
	if len(r.Each) < 2 {
		return ""
	}
	return number(slices.Min(r.Each)) + "–" + number(slices.Max(r.Each))
}

// String is one measurement in a line.
func (s Sample) String() string {
	var parts []string
	for _, of := range figureOrder {
		if v, measured := s[of]; measured {
			parts = append(parts, of.format(v))
		}
	}
	return strings.Join(parts, " · ")
}

var figureOrder = []Figure{Rate, ReadAll, CatchUp, P50, P99, Opening, Memory, TimelineReplay, InvoicesReplay}

func (f Figure) format(v float64) string {
	switch f {
	case Rate:
		return count(int(v)) + "/s"
	case ReadAll:
		return "ReadAll " + count(int(v)) + "/s"
	case CatchUp:
		return "SubscribeToAll " + count(int(v)) + "/s"
	case P50, P99:
		return string(f) + " " + number(v) + " ms"
	case Opening:
		return "opened in " + number(v) + " s"
	case Memory:
		return number(v) + " MB"
	case TimelineReplay:
		return "timeline " + count(int(v)) + "/s"
	case InvoicesReplay:
		return "invoices " + count(int(v)) + "/s"
	}
	return number(v)
}

// number keeps three significant digits, and all digits before the point.
func number(v float64) string {
	digits := 2
	for limit := 10.0; math.Abs(v) >= limit && digits > 0; limit *= 10 {
		digits--
	}
	if math.Abs(v) < 0.1 {
		digits = 3
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// count groups digits by thousands.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
