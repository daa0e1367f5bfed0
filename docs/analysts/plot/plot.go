// Package plot draws the bars of docs/analysts as SVG: figures in, a picture out,
// the same for the same figures.
package plot

import (
	"fmt"
	"io"
	"text/template"
)

// Bars is a chart of bars, one below the other.
type Bars struct {
	Title, Note string // Note says what a bar is, and of which data
	Unit        string // after each value
	Bars        []Bar
}

// Bar is one of them.
type Bar struct {
	Label string
	Value float64
}

const (
	line   = 18  // height of a bar and the gap below it
	left   = 390 // where bars begin
	widest = 340
	top    = 62
)

var chart = template.Must(template.New("bars").Funcs(template.FuncMap{
	"text":   template.HTMLEscapeString,
	"number": func(f float64) string { return fmt.Sprintf("%.1f", f) },
	"y":      func(i int) int { return top + i*line },
	"base":   func(i int) int { return top + i*line + 11 },
}).Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {{.Height}}" font-family="sans-serif" font-size="12">
<rect width="820" height="{{.Height}}" fill="#ffffff"/>
<text x="12" y="24" font-size="16" font-weight="bold">{{text .Title}}</text>
<text x="12" y="44" fill="#555555">{{text .Note}}</text>
{{- range $i, $b := .Bars}}
<text x="382" y="{{base $i}}" text-anchor="end">{{text $b.Label}}</text>
<rect x="390" y="{{y $i}}" width="{{number ($.Width $b)}}" height="14" fill="#2b6cb0"/>
<text x="{{number ($.End $b)}}" y="{{base $i}}" fill="#333333">{{number $b.Value}}{{$.Unit}}</text>
{{- end}}
</svg>
`))

// Height is the picture's.
func (c Bars) Height() int { return top + len(c.Bars)*line + 12 }

// Width is how long a bar is drawn.
func (c Bars) Width(b Bar) float64 {
	longest := 0.0
	for _, other := range c.Bars {
		longest = max(longest, other.Value)
	}
	if longest == 0 {
		return 0
	}
	return widest * b.Value / longest
}

// End is where the value is written.
func (c Bars) End(b Bar) float64 { return left + c.Width(b) + 6 }

// WriteSVG draws the chart.
func (c Bars) WriteSVG(w io.Writer) error { return chart.Execute(w, c) }
