package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the table for people, and what it was measured on.
func (r Report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.ToUpper(strings.Join(header, "\t")))
	for _, row := range r.Rows {
		fmt.Fprintln(table, strings.Join(row.cells(), "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, row := range r.Rows {
		if row.Why != "" {
			fmt.Fprintf(out, "%s, %s: %s\n", strings.TrimSuffix(row.Name+" against "+row.Against, " against "), row.Verdict, row.Why)
		}
	}
	for _, line := range append(r.Machine.lines(), r.sizes()...) {
		fmt.Fprintln(out, line)
	}
	for _, line := range r.reservations() {
		fmt.Fprintln(out, line)
	}
	_, err := fmt.Fprintln(out, r.conclusion())
	return err
}

// reservations are why the figures should not be quoted.
func (r Report) reservations() []string {
	var lines []string
	if r.Short {
		lines = append(lines, "This was a short run: it shows that everything works, its figures prove nothing.")
	}
	if r.Partial != "" {
		lines = append(lines, fmt.Sprintf("This was a part of the table only: %q.", r.Partial))
	}
	if r.Machine.busy() {
		lines = append(lines, "The machine was busy with other work: repeat this on an idle one before quoting a figure.")
	}
	return lines
}

func (r Report) conclusion() string {
	tally := map[Verdict]int{}
	for _, row := range r.Rows {
		tally[row.Verdict]++
	}
	var parts []string
	for _, v := range []Verdict{AimMet, BudgetMet, Missed, Broken, Over, NotMeasured, Information} {
		if tally[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", tally[v], v))
		}
	}
	return fmt.Sprintf("%d rows in %s: %s.", len(r.Rows), r.Took.Round(time.Second), strings.Join(parts, ", "))
}

// lines describe the machine.
func (m Machine) lines() []string {
	return []string{
		fmt.Sprintf("Machine: %s, %d cores, %.0f GB, Linux %s, load average %.2f before the run.",
			m.CPU, m.Cores, m.MemoryGB, m.Kernel, m.LoadBefore),
		fmt.Sprintf("Disk: %s, fsync of 4 KiB appended p50 %s ms, p99 %s ms.",
			m.FileSystem, number(m.FsyncP50), number(m.FsyncP99)),
		fmt.Sprintf("Software: %s, Pebble %s, %s, Node.js %s.",
			m.Go, orNone(m.Pebble), orNone(m.Postgres), orNone(m.Node)),
	}
}

func orNone(version string) string {
	if version == "" {
		return "(none)"
	}
	return version
}

// sizes say how much was measured.
func (r Report) sizes() []string {
	o := r.Options
	return []string{
		fmt.Sprintf("Runs: %d alternating; each append %s after %s of warming up; the median counts.", o.Runs, o.Window, o.Warmup),
		fmt.Sprintf("Logs: %s events read, %s rebuilt from; growth from %s to %s events; a replay under load of %s and %s events.",
			count(o.Read), count(o.Rebuild), count(o.Small), count(o.Events), count(o.Replay/10), count(o.Replay)),
	}
}
