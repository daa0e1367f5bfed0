package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/commands"
	"portal.example/projections/sqlprojection"
)

const folderHelp = `FOLDER has the file projection.sql; docs/analysts.md tells how to write one.`

// sqlCatalog is where the runner finds the projections that were installed.
func (p *portal) sqlCatalog(logger *slog.Logger) *sqlprojection.Catalog {
	return &sqlprojection.Catalog{Pool: p.pool, Logger: logger}
}

func projectionsCheck() *cobra.Command {
	var personal, asJSON bool
	cmd := &cobra.Command{
		Use:   "check FOLDER",
		Short: "Check a projection written in SQL, and try it on events of the log",
		Long: `Checks a projection that is written in SQL: whether Postgres understands it,
whether it keeps to its own tables, and what it does with the first events of the
log. Nothing is changed. ` + folderHelp + exitHelp,
		Args: oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDefinition(cmd, args[0], personal, func(_ *portal, _ *sqlprojection.Definition, r *sqlprojection.Report) error {
				return printReport(cmd.OutOrStdout(), r, asJSON)
			})
		},
	}
	personalFlag(cmd, &personal)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func projectionsInstall() *cobra.Command {
	var personal, asJSON bool
	cmd := &cobra.Command{
		Use:   "install FOLDER",
		Short: "Check a projection written in SQL, and have the portal fill it",
		Long: `Checks a projection that is written in SQL, as check does, and installs it: every
running portal finds it within about a second and fills it from the log; status
tells how far it is. The next version of one that is installed is filled beside
it, and takes its place once it has caught up. ` + folderHelp + exitHelp,
		Args: oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDefinition(cmd, args[0], personal, func(p *portal, d *sqlprojection.Definition, r *sqlprojection.Report) error {
				if err := sqlprojection.Install(cmd.Context(), p.pool, d, installer(), personal); err != nil {
					return err
				}
				if err := printReport(cmd.OutOrStdout(), r, asJSON); err != nil || asJSON {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "installed; follow it with: portal projections status")
				return err
			})
		},
	}
	personalFlag(cmd, &personal)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func projectionsUninstall() *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall NAME",
		Short: "Remove a projection written in SQL, with its tables",
		Long: `Removes a projection that was installed, with its tables. The log has everything
that it was made from; installing it again fills it anew.` + exitHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misusef("projections uninstall: name the projection")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				found, err := sqlprojection.Uninstall(ctx, pool, args[0])
				if err == nil && !found {
					err = fmt.Errorf("no projection %s was installed", args[0])
				}
				return err
			})
		},
	}
}

func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misusef("%s: name the folder", cmd.CommandPath())
	}
	return nil
}

func personalFlag(cmd *cobra.Command, personal *bool) {
	cmd.Flags().BoolVar(personal, "personal", false,
		"let it see personal fields, if it says that it wants to; its tables may then hold what erasing a person does not reach")
}

// withDefinition reads and checks the definition in a folder.
func withDefinition(
	cmd *cobra.Command, folder string, personal bool,
	do func(*portal, *sqlprojection.Definition, *sqlprojection.Report) error,
) error {
	d, err := sqlprojection.Load(folder)
	if err != nil {
		return err
	}
	if d.Personal && !personal {
		return fmt.Errorf("%w: it takes --personal", sqlprojection.ErrPersonal)
	}
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	p, err := openPortal(cmd.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	checks := sqlprojection.Checks{Types: eventTypes()}
	for _, known := range projections() {
		checks.Taken = append(checks.Taken, known.Name())
	}
	if checks.Sample, err = sqlprojection.ReadSample(cmd.Context(), p.log, p.codec, d); err != nil {
		return errors.Join(err, p.close())
	}
	report, err := sqlprojection.Check(cmd.Context(), p.pool, d, checks)
	if err == nil {
		err = do(p, d, report)
	}
	return errors.Join(err, p.close())
}

// eventTypes are the names of all events that the portal has.
func eventTypes() (names []string) {
	for _, t := range commands.EventTypes() {
		names = append(names, t.Name())
	}
	slices.Sort(names)
	return names
}

// installer is who installs, as far as the machine knows.
func installer() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func printReport(out io.Writer, r *sqlprojection.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%s version %d is good\n", r.Name, r.Version)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  reads\t%s\n", strings.Join(r.Types, ", "))
	if r.Events == 0 {
		fmt.Fprintf(table, "  tried\ton nothing: the log has no such events yet\n")
	} else {
		fmt.Fprintf(table, "  tried on\t%d events, in %s (%.0f events/s)\n", r.Events, seconds(r.Seconds), float64(r.Events)/r.Seconds)
		fmt.Fprintf(table, "  whole log\tabout %d events, in about %s\n", r.WholeLog, seconds(r.WholeInSec))
	}
	for _, name := range r.Tables {
		fmt.Fprintf(table, "  %s\t%d rows\n", name, r.Rows[name])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(out, "  warning: %s\n", w)
	}
	return nil
}

func seconds(s float64) time.Duration {
	d := time.Duration(s * float64(time.Second))
	return d.Round(max(time.Millisecond, d/100)).Truncate(time.Millisecond)
}
