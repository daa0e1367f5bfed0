// Command bench measures the portal side by side with what it is compared to,
// in one run on one machine, and says whether the budgets are met.
//
//	CGO_ENABLED=0 go run ./internal/bench [--short] [--only NAME] [--json FILE]
//
// Only ratios can fail: the exit status is 1 when one misses its budget or a
// side breaks, 2 for a wrong flag or build, and 0 otherwise, also where something that a
// row needs is not installed, which is then said.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"portal.example/internal/tuning"
)

func main() {
	tuning.Runtime() // as the portal does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch {
	case builtWithCgo:
		err = errCgo
	case len(os.Args) == 4 && os.Args[1] == serveCommand:
		err = serve(ctx, os.Args[2], os.Args[3])
	default:
		err = run(ctx, os.Args[1:])
	}
	status := statusOf(err)
	if status != 0 {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	stop()
	os.Exit(status) //nolint:forbidigo // this is main
}

var (
	errMissed = errors.New("a budget was missed or a side broke")
	errUsage  = errors.New("see --help")
	// Without cgo the log's cache lies in Go's heap, which its memory and speed tell.
	errCgo = errors.New("this must be built as the portal is: CGO_ENABLED=0 go run ./internal/bench")
)

func statusOf(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage), errors.Is(err, errCgo):
		return 2
	default:
		return 1
	}
}

type config struct {
	Options
	short                    bool
	only                     string
	json, markdown, fromFile string
}

func parse(args []string) (config, error) {
	c := config{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&c.short, "short", false, "one quick run of everything, to see that it works")
	flags.StringVar(&c.only, "only", "", "measure only the rows whose name, group or opponent contains `NAME`")
	flags.IntVar(&c.Runs, "runs", 3, "alternating runs; the median counts")
	flags.DurationVar(&c.Window, "window", 4*time.Second, "how long each append is measured")
	flags.DurationVar(&c.Warmup, "warmup", 2*time.Second, "how long each runs before that")
	flags.IntVar(&c.Read, "read", 200_000, "events in the log that is read")
	flags.IntVar(&c.Rebuild, "rebuild", 1_000_000, "events in the log that read models are rebuilt from")
	flags.IntVar(&c.Events, "events", 1_000_000, "events in the grown log (10000000 takes some minutes to fill)")
	flags.IntVar(&c.Replay, "replay", 200_000, "events in the log that a portal replays under load (10000000 takes most of an hour)")
	flags.StringVar(&c.json, "json", "", "write the results to `FILE`, for machines")
	flags.StringVar(&c.markdown, "markdown", "", "write the results to `FILE`, as docs/benchmarks.md")
	flags.StringVar(&c.fromFile, "from", "", "measure nothing: take the results from `FILE`, written by --json")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, errUsage // the flag package has said what is wrong
	}
	c.Small = 10_000
	if c.short {
		c.Runs, c.Window, c.Warmup = 1, 2*time.Second, 500*time.Millisecond
		c.Read, c.Rebuild, c.Events, c.Replay = 50_000, 50_000, 100_000, 50_000
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("%q is no flag: %w", flags.Arg(0), errUsage)
	case c.Runs < 1 || c.Window <= 0 || c.Warmup < 0:
		return c, fmt.Errorf("runs and window must be positive: %w", errUsage)
	case c.Rebuild < 1:
		return c, fmt.Errorf("rebuild is at least 1: %w", errUsage)
	case c.Replay < minReplay:
		return c, fmt.Errorf("replay is at least %d: %w", minReplay, errUsage)
	case c.Read < filledPerStream || c.Read%filledPerStream != 0 || c.Events < c.Small || c.Events%filledPerStream != 0:
		return c, fmt.Errorf("read and events are multiples of %d, and events at least %d: %w", filledPerStream, c.Small, errUsage)
	}
	return c, nil
}

func run(ctx context.Context, args []string) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	var report Report
	if c.fromFile != "" {
		report, err = loadReport(c.fromFile)
	} else {
		report, err = takeReport(ctx, c)
	}
	if err != nil {
		return err
	}
	if err := publish(report, c); err != nil {
		return err
	}
	if report.failed() {
		return errMissed
	}
	return nil
}

func takeReport(ctx context.Context, c config) (report Report, err error) {
	if _, err := os.Stat(jsDir); err != nil {
		return report, fmt.Errorf("run this from the root of the module: %w", err)
	}
	started := time.Now()
	lab, err := newLab(ctx, c.Options, func(format string, args ...any) {
		at := time.Since(started).Round(time.Second)
		fmt.Fprintf(os.Stderr, "%6s  %s\n", at, fmt.Sprintf(format, args...))
	})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()

	rows := only(allRows(lab), c.only)
	if len(rows) == 0 {
		return report, fmt.Errorf("no row has %q in its name: %w", c.only, errUsage)
	}
	report = Report{At: started.UTC(), Short: c.short, Partial: c.only, Options: c.Options}
	if report.Machine, err = describeMachine(ctx); err != nil {
		return report, err
	}
	report.Rows, report.Sides, err = measure(ctx, lab, rows)
	report.Took = time.Since(started)
	return report, err
}

func publish(report Report, c config) error {
	if err := report.print(os.Stdout); err != nil {
		return err
	}
	if c.json != "" {
		if err := report.save(c.json); err != nil {
			return err
		}
	}
	if c.markdown != "" {
		return os.WriteFile(c.markdown, []byte(report.document()), 0o644) //nolint:gosec // for everyone
	}
	return nil
}
