package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"portal.example/projections/compare"
)

func (c *comparison) show(out io.Writer, r *compare.Report) error {
	if c.asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	}
	place := "both complete up to position " + r.New.Position
	if !r.Aligned {
		place = fmt.Sprintf("complete up to positions %s and %s: rows changed after the earlier one are not compared", r.Old.Position, r.New.Position)
	}
	fmt.Fprintf(out, "%s: version %d (%s, %s) → version %d (%s, %s); %s\n\n", r.New.Projection,
		r.Old.Version, r.Old.State, r.Old.Schema, r.New.Version, r.New.State, r.New.Schema, place)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rows before\tafter\tchanged\tonly before\tonly after\tnot yet\t  table\t")
	for _, t := range r.Tables {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%d\t  %s\t\n", t.OldRows, t.NewRows, t.Changed, t.OnlyOld, t.OnlyNew, t.NotYet, t.Name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	w := newTextWriter(out)
	for i := range r.Tables {
		w.tableDiff(&r.Tables[i])
	}
	return nil
}

func (w textWriter) tableDiff(t *compare.Table) {
	var notes []string
	if len(t.Columns) > 0 {
		counts := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			counts[i] = fmt.Sprintf("%s %d", printable(c.Name), c.Rows)
		}
		notes = append(notes, "columns that differ: "+strings.Join(counts, ", "))
	}
	for text, columns := range map[string][]string{"columns only after": t.Added, "columns only before": t.Removed, "columns of another type": t.Retyped} {
		if len(columns) > 0 {
			notes = append(notes, text+": "+printable(strings.Join(columns, ", ")))
		}
	}
	slices.Sort(notes)
	if len(notes) > 0 {
		fmt.Fprintf(w.out, "\n%s\n  %s\n", t.Name, strings.Join(notes, "\n  "))
	}
	for i := range t.Examples {
		w.exampleDiff(t, &t.Examples[i])
	}
}

// colours of the kinds of difference.
var colours = map[compare.Kind]string{compare.Changed: "33", compare.OnlyOld: "31", compare.OnlyNew: "32"}

func (w textWriter) exampleDiff(t *compare.Table, e *compare.Example) {
	what := map[compare.Kind]string{compare.Changed: "changed", compare.OnlyOld: "only before", compare.OnlyNew: "only after"}[e.Kind]
	var key []string
	for _, name := range slices.Sorted(maps.Keys(e.Key)) {
		key = append(key, name+"="+e.Key[name])
	}
	if len(t.Key) == 0 {
		key = append(key, fmt.Sprintf("%d times before, %d after", e.Times[0], e.Times[1]))
	}
	fmt.Fprintf(w.out, "\n%s %s  %s\n", t.Name, printable(strings.Join(key, " ")), w.colour(colours[e.Kind], what))
	for _, c := range e.Changes {
		switch e.Kind {
		case compare.Changed:
			fmt.Fprintf(w.out, "  %s  %s → %s\n", printable(c.Name), valueText(c.From), valueText(c.To))
		case compare.OnlyOld:
			fmt.Fprintf(w.out, "  %s  %s\n", printable(c.Name), valueText(c.From))
		case compare.OnlyNew:
			fmt.Fprintf(w.out, "  %s  %s\n", printable(c.Name), valueText(c.To))
		}
	}
	if e.Explanation != nil {
		w.explanation(e.Explanation)
	}
}

func (w textWriter) explanation(x *compare.Explanation) {
	events, label := x.Events, "explained by"
	switch {
	case !x.Explained && len(x.Makers) > 0:
		events, label = x.Makers, "not explained: "+printable(x.Why)+"; what differs is made by"
	case !x.Explained:
		label = "not explained: " + printable(x.Why)
	case x.Gone:
		label = "explained by how the row begins"
	case x.Each:
		label = "explained by any one of"
	case len(x.Events) > 1:
		label = "explained by, together,"
	}
	if x.Explained && x.Stored != "" {
		label += " (against the " + x.Stored + " row as it is stored)"
	}
	fmt.Fprintf(w.out, "  %s\n", w.colour("1", label))
	for i := range events {
		w.named(&events[i])
	}
}

// named prints an event that is behind something.
func (w textWriter) named(e *compare.Event) {
	made := ""
	switch {
	case e.Makes:
		made = "  makes the row"
	case len(e.Columns) > 0:
		made = "  " + strings.Join(e.Columns, ", ")
	}
	fmt.Fprintf(w.out, "    %s  %s  %s  %s  %s%s\n", w.colour("2", fmt.Sprintf("%8s", e.Position)),
		e.RecordedAt.Format(time.RFC3339), w.colour("36", fmt.Sprintf("%-28s", printable(e.Type))),
		printable(fmt.Sprintf("%s@%d", e.Stream, e.Revision)), printable(strings.TrimSpace(e.Actor.Kind+" "+e.Actor.ID)), printable(made))
}

// valueText is a value on one line.
func valueText(value any) string {
	if text, ok := value.(string); ok {
		return printable(text)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "?" // not reached: it came from JSON
	}
	return printable(string(encoded))
}
