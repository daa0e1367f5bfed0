package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestBars(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	chart := Bars{Title: "a < b", Note: "n", Unit: " %", Bars: []Bar{{"half", 20}, {"whole", 40}, {"none", 0}}}
	if err := chart.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	var widths []string
	for decoder := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			for _, a := range e.Attr {
				if a.Name.Local == "width" {
					widths = append(widths, a.Value)
				}
			}
		}
	}
	if got := strings.Join(widths, " "); got != "820 170.0 340.0 0.0" {
		t.Errorf("widths %s", got)
	}
	if !strings.Contains(b.String(), "a &lt; b") || !strings.Contains(b.String(), ">20.0 %<") {
		t.Error(b.String())
	}
	if err := (Bars{Bars: []Bar{{"x", 0}}}).WriteSVG(io.Discard); err != nil {
		t.Error(err)
	}
}
