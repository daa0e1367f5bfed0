package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portal.example/internal/importing"
)

// importCommand brings in histories from other systems.
func importCommand() *cobra.Command {
	var slug, kept string
	var asJSON bool
	formats := importing.Formats()
	names := slices.Sorted(maps.Keys(formats))
	cmd := &cobra.Command{
		Use:   "import " + strings.Join(names, "|") + " FILE --business S",
		Short: "Import a history from a CSV file",
		Long: `Imports a history from a CSV file, plain or gzipped, beside a running portal or
without one. The file is checked as a whole before anything is recorded. A row
that the portal refuses is reported with its line and reason, and kept in a file
with them; the others are imported. An import that was interrupted goes on where
it ended when it is started again; a file that has been imported adds nothing.

With --json the last line of the output is
{"read":N,"imported":N,"refused":N,"events":N}: rows read, taken (by this run or
an earlier one) and refused, and the events that this run recorded.

Exit status: 0 done, refused rows or not; 1 failed, or the file is not what it
should be; 2 wrong usage or configuration.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misusef("import: name a kind of file (%s) and a file", strings.Join(names, ", "))
			}
			if _, known := formats[args[0]]; !known {
				return misusef("import: %q is none of %s", args[0], strings.Join(names, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readHistory(args[1], formats[args[0]])
			if err != nil {
				return err
			}
			return withBusiness(cmd, slug, func(p *portal, business string) error {
				importer := p.importer(business)
				bar := progressBar(cmd.ErrOrStderr(), file.Rows)
				importer.Progress = func() { _ = bar.Add(1) } // it can only fail to be drawn
				summary, refusals, failure := importer.Run(cmd.Context(), file)
				_ = bar.Exit()
				if kept == "" {
					kept = filepath.Join(dataFolder(), "imports", filepath.Base(args[1])+".refused.csv")
				}
				err := report(cmd.ErrOrStderr(), kept, file.Format, refusals)
				if failure != nil {
					return errors.Join(fmt.Errorf("after %d of %d rows: %w; start it again to go on", summary.Read, file.Rows, failure), err)
				}
				if asJSON {
					return errors.Join(json.NewEncoder(cmd.OutOrStdout()).Encode(summary), err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d rows read, %d imported, %d refused; %d events recorded\n",
					summary.Read, summary.Imported, summary.Refused, summary.Events)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&slug, "business", "", "slug or id of the business")
	cmd.Flags().StringVar(&kept, "refused", "", "file for the refused rows (PORTAL_DATA/imports/FILE.refused.csv)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func readHistory(path string, format importing.Format) (importing.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return importing.File{}, misusef("import: %w", err)
	}
	defer f.Close()
	file, err := importing.Read(f, format)
	if err != nil {
		return importing.File{}, fmt.Errorf("%s is not a %s file, and nothing of it was imported: %w", path, format.Name, err)
	}
	return file, nil
}

// importer is what brings files in on behalf of a business.
func (p *portal) importer(business string) *importing.Importer {
	return &importing.Importer{
		Log: p.log, Codec: p.codec, Secret: p.room.Secret, Now: p.room.Now, Business: business,
	}
}

// progressBar shows the rate and the time left to a person who watches, and
// nothing to a file.
func progressBar(w io.Writer, rows int) *progressbar.ProgressBar {
	f, is := w.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultSilent(int64(rows))
	}
	return progressbar.NewOptions(rows,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }),
	)
}

// shown is how many refused rows are told one by one on a terminal; the file
// has all.
const shown = 50

// report tells which rows were refused, and keeps them as they are, with their
// line and the reason. A file that another run left is replaced.
func report(w io.Writer, path string, format importing.Format, refusals []importing.Refusal) error {
	if len(refusals) == 0 {
		return nil
	}
	for _, r := range refusals[:min(len(refusals), shown)] {
		fmt.Fprintf(w, "line %d refused: %v\n", r.Row.Line, r.Reason)
	}
	if err := keep(path, format, refusals); err != nil {
		return fmt.Errorf("keeping the refused rows: %w", err)
	}
	fmt.Fprintf(w, "%d refused rows are in %s\n", len(refusals), path)
	return nil
}

func keep(path string, format importing.Format, refusals []importing.Refusal) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // what people wrote can be in it
	if err != nil {
		return err
	}
	rows := csv.NewWriter(f)
	records := [][]string{append([]string{"line", "reason"}, format.Columns...)}
	for _, r := range refusals {
		records = append(records, append([]string{strconv.Itoa(r.Row.Line), r.Reason.Error()}, r.Row.Fields...))
	}
	return errors.Join(rows.WriteAll(records), f.Close())
}
