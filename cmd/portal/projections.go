package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/internal/database"
	"portal.example/projections/runner"
	"portal.example/projections/sqlprojection"
)

// projectionsCommand is about the read models.
func projectionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "projections",
		Short: "See how the read models are doing, fill them again, and switch between fillings",
		Long: `Tells how the read models are doing. It asks Postgres (DATABASE_URL), beside a
running portal or without one.` + exitHelp,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return misusef("projections: name a subcommand, such as status") },
	}
	cmd.AddCommand(projectionsList(), projectionsStatus(), projectionsQuarantine(),
		projectionsReplay(), projectionsCutOver(), projectionsRollBack(), projectionsDrop(),
		projectionsDiff(), projectionsWhy(),
		projectionsCheck(), projectionsInstall(), projectionsUninstall(),
		projectionsAsOf(), projectionsWhatIf())
	return cmd
}

func projectionsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the projections that there are",
		Long: `Lists the projections that this program has and, where DATABASE_URL is set, those
written in SQL that are installed there, with their versions.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			type item struct {
				Name    string   `json:"name"`
				Version int      `json:"version"`
				Types   []string `json:"types,omitempty"` // of events; none means all
				By      string   `json:"installedBy,omitempty"`
			}
			var items []item
			for _, p := range projections() {
				items = append(items, item{p.Name(), p.Version(), p.Types(), ""})
			}
			if os.Getenv("DATABASE_URL") != "" {
				if err := withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
					installed, err := sqlprojection.List(ctx, pool)
					for _, i := range installed {
						items = append(items, item{i.Name, i.Version, i.Types(), i.By})
					}
					return err
				}); err != nil {
					return err
				}
			}
			return show(cmd.OutOrStdout(), asJSON, items, "NAME\tVERSION\tEVENT TYPES\tINSTALLED BY", func(i item) string {
				types := "all"
				if len(i.Types) > 0 {
					types = fmt.Sprint(len(i.Types))
				}
				return fmt.Sprintf("%s\t%d\t%s\t%s", i.Name, i.Version, types, cmp.Or(i.By, "-"))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// projectionStatus is how one build of a projection is doing.
type projectionStatus struct {
	Projection  string    `json:"projection"`
	Version     int       `json:"version"`
	Schema      string    `json:"schema"`
	Build       int64     `json:"build"`
	State       string    `json:"state"` // building, live, kept (was live before), ended (a part whose rows are live), put aside
	Position    string    `json:"position"`
	AsOf        time.Time `json:"asOf"`
	LagSeconds  float64   `json:"lagSeconds"`
	CaughtUp    bool      `json:"caughtUp"`
	Quarantined int       `json:"quarantined"`        // streams
	PutAside    string    `json:"putAside,omitempty"` // why it is not followed any more

	Replay *replayStatus `json:"replay,omitempty"` // of what is being filled
}

func projectionsStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how far the read models are",
		Long: `Tells for each read model up to when it is complete, how far it lags behind, and
how many streams are in quarantine; of one that is being filled also how far that
is. The lag of a portal that is off grows.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				found, err := runner.New(runner.Config{Pool: pool}).Status(ctx)
				if err != nil {
					return err
				}
				now := time.Now().UTC()
				var items []projectionStatus
				for _, s := range found {
					items = append(items, statusOf(s, now))
				}
				for _, s := range items {
					if s.PutAside != "" && !asJSON {
						fmt.Fprintf(cmd.ErrOrStderr(), "%s version %d is put aside: %s\n", s.Projection, s.Version, s.PutAside)
					}
				}
				return show(cmd.OutOrStdout(), asJSON, items, "PROJECTION\tVERSION\tSTATE\tCOMPLETE UP TO\tLAG\tCAUGHT UP\tQUARANTINED\tREPLAY",
					func(s projectionStatus) string {
						return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%v\t%d\t%s", s.Projection, s.Version, s.State,
							s.AsOf.Format(time.RFC3339), lagOf(s), s.CaughtUp, s.Quarantined, s.Replay)
					})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func statusOf(s runner.Status, now time.Time) projectionStatus {
	return projectionStatus{
		s.Projection, s.Version, s.Schema, s.Build, s.State(), s.Position.String(),
		s.AsOf.UTC(), s.Lag(now).Seconds(), s.CaughtUp, s.Quarantined, s.PutAside, replayOf(s),
	}
}

// lagOf leaves out what nobody can read: before its first event a read model is
// as of 1970.
func lagOf(s projectionStatus) string {
	if s.AsOf.Year() < 1971 {
		return "-"
	}
	return time.Duration(s.LagSeconds * float64(time.Second)).Round(time.Millisecond).String()
}

// withDatabase opens the database alone, for what needs no log. It leaves
// migrating to the portal.
func withDatabase(cmd *cobra.Command, do func(context.Context, *pgxpool.Pool) error) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
	defer cancel()
	pool, err := database.Open(ctx, cfg.database)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer pool.Close()
	return do(ctx, pool)
}

// show prints items as a table, or as JSON.
func show[T any](out io.Writer, asJSON bool, items []T, head string, line func(T) string) error {
	if asJSON {
		if items == nil {
			items = []T{}
		}
		return json.NewEncoder(out).Encode(map[string]any{"items": items})
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head)
	for _, item := range items {
		fmt.Fprintln(table, line(item))
	}
	return table.Flush()
}
