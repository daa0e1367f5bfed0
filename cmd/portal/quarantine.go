package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/projections/runner"
	"portal.example/projections/sqlprojection"
)

// maxQuarantined is how many streams are listed.
const maxQuarantined = 1000

// projectionsQuarantine is about streams that stopped at an event which could
// not be applied.
func projectionsQuarantine() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List, show, retry and skip what cannot be applied",
		Long: `A stream stops at an event that a projection cannot apply, while all others flow.
What follows in it is held back, so that it can be applied in order: once the
program has been mended and it is retried, or once the event is skipped.` + exitHelp,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return misusef("projections quarantine: name a subcommand: list, show, retry, skip or skips")
		},
	}
	cmd.AddCommand(quarantineList(), quarantineShow(), quarantineRetry(), quarantineSkip(), quarantineSkips())
	return cmd
}

// quarantinedStream is one of them, with the event that it stopped at.
type quarantinedStream struct {
	Projection string    `json:"projection"`
	Version    int       `json:"version"`
	Stream     string    `json:"stream"`
	Business   string    `json:"business"`
	EventID    string    `json:"eventId"`
	EventType  string    `json:"eventType"`
	Revision   uint64    `json:"revision"`
	Position   uint64    `json:"position"`
	Held       int       `json:"held"` // events
	Error      string    `json:"error"`
	Attempts   int       `json:"attempts"`
	Since      time.Time `json:"since"`
	TriedAt    time.Time `json:"triedAt"`
	Retrying   bool      `json:"retrying"`
}

func quarantinedOf(q runner.Quarantined) quarantinedStream {
	return quarantinedStream{
		q.Projection, q.Version, q.Stream, q.Business, q.EventID.String(), q.EventType, q.Revision, q.Position,
		q.Held, q.Error, q.Attempts, q.Since.UTC(), q.TriedAt.UTC(), q.Retrying,
	}
}

func quarantineList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List quarantined streams, of one projection or of all",
		Long:  fmt.Sprintf("Lists quarantined streams, the oldest first, %d at most.", maxQuarantined) + exitHelp,
		Args:  atMostOneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				found, err := runner.ListQuarantined(ctx, pool, strings.Join(args, ""), maxQuarantined)
				if err != nil {
					return err
				}
				items := make([]quarantinedStream, len(found))
				for i, q := range found {
					items[i] = quarantinedOf(q)
				}
				return show(cmd.OutOrStdout(), asJSON, items, "PROJECTION\tSTREAM\tREVISION\tEVENT\tHELD\tSINCE\tATTEMPTS\tERROR",
					func(q quarantinedStream) string {
						return fmt.Sprintf("%s\t%s\t%d\t%s\t%d\t%s\t%d\t%.120q", q.Projection, q.Stream, q.Revision, q.EventType,
							q.Held, q.Since.Format(time.RFC3339), q.Attempts, q.Error)
					})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func quarantineRetry() *cobra.Command {
	var stream string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "retry NAME (--stream S | --all)",
		Short: "Have quarantined streams of a projection tried again",
		Long: `Has the portal that leads the projection apply what a stream holds back, in
order, within about a second; status tells whether it worked.` + exitHelp,
		Args: atMostOneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return misusef("projections quarantine retry: name the projection")
			case (stream == "") != all:
				return misusef("projections quarantine retry: either --stream S or --all")
			}
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				n, err := runner.Retry(ctx, pool, args[0], stream)
				switch {
				case err != nil:
					return err
				case n == 0 && !all:
					return fmt.Errorf("stream %s is not in quarantine in %s", stream, args[0])
				case asJSON:
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]int{"retrying": n})
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d to be tried again\n", n)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&stream, "stream", "", "the stream")
	cmd.Flags().BoolVar(&all, "all", false, "all quarantined streams of the projection")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// atMostOneProjection refuses what names no projection of this program.
func atMostOneProjection(cmd *cobra.Command, args []string) error {
	var names []string
	for _, p := range projections() {
		names = append(names, p.Name())
	}
	if len(args) == 1 && !slices.Contains(names, args[0]) {
		// One that cannot be asked for is not there.
		_ = withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
			installed, err := sqlprojection.List(ctx, pool)
			for _, i := range installed {
				names = append(names, i.Name)
			}
			return err
		})
	}
	if len(args) > 1 || len(args) == 1 && !slices.Contains(names, args[0]) {
		return misusef("%s: name one of %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	return nil
}
