package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"portal.example/eventstore"
	"portal.example/internal/exporting"
	readmodels "portal.example/projections"
)

// tablesExport is the rows of a business on their way out.
type tablesExport struct {
	business string
	format   exporting.Format
	output   string
	personal bool
	told     io.Writer // for people
}

// exportedTable tells the end of one table's export.
type exportedTable struct {
	Table    string    `json:"table"`
	Rows     int64     `json:"rows"`     // written by this run
	Total    int64     `json:"total"`    // in the files
	Position string    `json:"position"` // all that the log had up to there is in the rows
	AsOf     time.Time `json:"asOf"`
	Manifest string    `json:"manifest"`
	LeftOut  []string  `json:"leftOut,omitempty"` // columns, for want of --personal
}

func exportCommand() *cobra.Command {
	var x tablesExport
	var slug, format string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "export (TABLE | all) --business S [--output DIR]",
		Short: "Export the rows of read models as JSON Lines, CSV or Parquet",
		Long: `Exports the rows of a read model's table, or of all, for one business: into a folder,
or to the standard output, which takes one table and no Parquet. In a folder a table
has one file (TABLE.jsonl, TABLE.csv) or parts (TABLE-00001.parquet), and
TABLE.manifest.json, which tells how far it is: its columns, its files, their rows,
and the position of the log up to which they are complete.

All tables are read at one moment. An export that was interrupted goes on where its
manifest says when it is started again, at a later moment: completeUpTo in the
manifest is then the first of the two, and newest the last. What is complete stays as
it is. Rows are in the order of their primary keys.

Texts that may be personal (names, addresses, what somebody wrote) are left out,
unless --personal says otherwise; see docs/export.md.

With --json it ends with {"items":[{"table":T,"rows":N,"total":N,…}]}.` + exitHelp,
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if x.format, err = exporting.ParseFormat(format); err != nil {
				return misusef("--format: %w", err)
			}
			if x.output == "" && (args[0] == "all" || x.format == exporting.Parquet || asJSON) {
				return misusef("--output: missing: all tables, Parquet and --json need a folder")
			}
			x.told = cmd.ErrOrStderr()
			return withBusiness(cmd, slug, func(p *portal, business string) error {
				x.business = business
				tx, end, err := p.readers.Long(cmd.Context(), business, "portal export")
				if err != nil {
					return err
				}
				defer end()
				if x.output == "" {
					return x.toStdout(cmd.Context(), cmd.OutOrStdout(), tx, args[0])
				}
				done, err := x.toFolder(cmd.Context(), tx, args[0])
				if err != nil {
					return err
				}
				return show(cmd.OutOrStdout(), asJSON, done, "TABLE\tROWS\tTOTAL\tCOMPLETE UP TO\tLEFT OUT", func(t exportedTable) string {
					return fmt.Sprintf("%s\t%d\t%d\t%s\t%s", t.Table, t.Rows, t.Total, t.AsOf.Format(time.RFC3339), strings.Join(t.LeftOut, ","))
				})
			})
		},
	}
	cmd.Flags().StringVar(&slug, "business", "", "slug or id of the business")
	cmd.Flags().StringVar(&format, "format", string(exporting.JSONLines), "jsonl, csv or parquet")
	cmd.Flags().StringVarP(&x.output, "output", "o", "", "the folder; unset, the standard output")
	cmd.Flags().BoolVar(&x.personal, "personal", false, "with names, addresses and free texts")
	cmd.Flags().BoolVar(&asJSON, "json", false, "tell the end of an export into a folder as JSON")
	return cmd
}

// find describes the table at the moment of tx.
func (x *tablesExport) find(ctx context.Context, tx pgx.Tx, name string) (*exporting.Table, error) {
	t, err := exporting.Find(ctx, tx, name, x.personal, readmodels.Disclosed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.Moment.Position = eventstore.Position{Commit: t.Commit, Prepare: t.Prepare}.String()
	return t, nil
}

func (x *tablesExport) toStdout(ctx context.Context, out io.Writer, tx pgx.Tx, name string) error {
	t, err := x.find(ctx, tx, name)
	if err != nil {
		return err
	}
	encoder, err := exporting.NewEncoder(x.format, out, t.Name, t.Columns, true)
	if err != nil {
		return err
	}
	rows := 0
	for row, err := range t.Read(ctx, tx, x.business, nil, 0) {
		if err == nil {
			err = encoder.Write(row.Values)
		}
		if err != nil {
			return errors.Join(err, encoder.Close())
		}
		rows++
	}
	fmt.Fprintf(x.told, "%d rows exported, complete up to %s, position %s%s\n",
		rows, t.Moment.AsOf.Format(time.RFC3339), t.Moment.Position, x.without(t))
	return encoder.Close()
}

// without tells which columns are not there.
func (x *tablesExport) without(t *exporting.Table) string {
	if len(t.LeftOut) == 0 {
		return ""
	}
	return ", without " + strings.Join(t.LeftOut, ", ")
}

func (x *tablesExport) toFolder(ctx context.Context, tx pgx.Tx, name string) (done []exportedTable, err error) {
	names := []string{name}
	if name == "all" {
		if names, err = exporting.Tables(ctx, tx); err != nil {
			return nil, err
		}
	}
	for _, one := range names {
		t, err := x.find(ctx, tx, one)
		if name == "all" && (errors.Is(err, exporting.ErrPersonal) || errors.Is(err, exporting.ErrNoOrder)) {
			fmt.Fprintf(x.told, "left out: %v\n", err) // such as an analyst's, which must not keep the others back
			continue
		}
		if err != nil {
			return nil, err
		}
		exported, err := x.table(ctx, tx, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one, err)
		}
		done = append(done, exported)
	}
	return done, nil
}

// table exports one table, or what is left of it.
func (x *tablesExport) table(ctx context.Context, tx pgx.Tx, t *exporting.Table) (done exportedTable, err error) {
	folder, err := exporting.Open(x.output, exporting.Manifest{
		Dataset: t.Name, Format: x.format, Columns: t.Columns,
		Scope: map[string]string{
			"business": x.business, "version": strconv.Itoa(t.Version), "personal": strconv.FormatBool(x.personal),
		},
	})
	if err != nil {
		return done, fmt.Errorf("--output: %w", err)
	}
	m := &folder.Manifest
	before, complete := m.Rows, m.Complete
	if !complete {
		folder.At(t.Moment)
		err = x.rows(ctx, tx, t, folder)
		complete = err == nil
	}
	if err = errors.Join(err, folder.Close(complete)); err != nil {
		return done, fmt.Errorf("%d rows are exported: %w; start it again to go on", m.Rows, err)
	}
	done = exportedTable{Table: t.Name, Rows: m.Rows - before, Total: m.Rows, Manifest: folder.ManifestPath(), LeftOut: t.LeftOut}
	if m.From != nil {
		done.Position, done.AsOf = m.From.Position, m.From.AsOf
	}
	return done, nil
}

func (x *tablesExport) rows(ctx context.Context, tx pgx.Tx, t *exporting.Table, folder *exporting.Folder) error {
	after := folder.Manifest.After
	bar := progressbar.DefaultSilent(1)
	if isTerminal(x.told) {
		total, err := t.Count(ctx, tx, x.business, after)
		if err != nil {
			return err
		}
		bar = exportingBar(x.told, t.Name, total)
	}
	defer func() { _ = bar.Exit() }()
	for row, err := range t.Read(ctx, tx, x.business, after, 0) {
		if err == nil {
			err = folder.Write(row.Values, row.Key)
		}
		if err != nil {
			return err
		}
		_ = bar.Add(1) // it can only fail to be drawn
	}
	return nil
}

// exportingBar shows a person who watches how far the export is.
func exportingBar(w io.Writer, what string, length int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(length, 1),
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }),
	)
}
