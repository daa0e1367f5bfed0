package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/domain"
	"portal.example/projections/runner"
)

// skippedEvent is an event that a version of a projection goes on without.
type skippedEvent struct {
	Projection string    `json:"projection"`
	Version    int       `json:"version"`
	Stream     string    `json:"stream"`
	Business   string    `json:"business"`
	EventID    string    `json:"eventId"`
	EventType  string    `json:"eventType"`
	Revision   uint64    `json:"revision"`
	Position   uint64    `json:"position"`
	Error      string    `json:"error"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
}

func skippedOf(s runner.Skip) skippedEvent {
	return skippedEvent{
		s.Projection, s.Version, s.Stream, s.Business, s.EventID.String(), s.EventType, s.Revision, s.Position,
		s.Error, s.Reason, s.By, s.At.UTC(),
	}
}

func quarantineSkip() *cobra.Command {
	var reason, event string
	var version int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "skip NAME STREAM --reason TEXT",
		Short: "Have a projection go on without the event that a stream stands at",
		Long: `Records that a version of a projection goes on without the event that a stream stands
at, with the reason and who gave it (the account on this machine). What is held back
is then applied in order, within about a second where a portal runs.

It holds for this version of the projection, also when it is built anew, and cannot be
taken back; the next version is given the event again. The event stays in the log. The
reason is read by the business's owners and auditors: it must not name a customer.

--event makes sure that it is the event that was looked at. --version names one that is
being filled; without it the live one is meant.` + exitHelp,
		Args: projectionAndStream,
		RunE: func(cmd *cobra.Command, args []string) error {
			var check domain.Check
			check.Line("--reason", reason, runner.MaxReason)
			if err := check.Err(); err != nil {
				return misused(err)
			}
			id, err := uuid.Parse(event)
			if event != "" && err != nil {
				return misusef("--event: %.40q is not the id of an event", event)
			}
			if version < 0 {
				return misusef("--version: must be a version of the projection, not %d", version)
			}
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				s, err := runner.SkipEvent(ctx, pool, args[0], version, args[1], id, reason, operator())
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(skippedOf(s))
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s version %d goes on without %s %s\n",
					s.Projection, s.Version, printable(s.EventType), s.EventID)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", fmt.Sprintf("why, in a line of %d characters at most", runner.MaxReason))
	cmd.Flags().StringVar(&event, "event", "", "id of the event that is meant")
	cmd.Flags().IntVar(&version, "version", 0, "version of the projection; the live one by default")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func quarantineSkips() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "skips [NAME]",
		Short: "List skipped events, of one projection or of all",
		Long:  fmt.Sprintf("Lists skipped events, the oldest first, %d at most.", maxQuarantined) + exitHelp,
		Args:  atMostOneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				found, err := runner.ListSkips(ctx, pool, strings.Join(args, ""), maxQuarantined)
				if err != nil {
					return err
				}
				items := make([]skippedEvent, len(found))
				for i, s := range found {
					items[i] = skippedOf(s)
				}
				return show(cmd.OutOrStdout(), asJSON, items, "PROJECTION\tVERSION\tSTREAM\tREVISION\tEVENT\tSKIPPED\tBY\tREASON",
					func(s skippedEvent) string {
						return fmt.Sprintf("%s\t%d\t%s\t%d\t%s\t%s\t%s\t%s", s.Projection, s.Version, printable(s.Stream), s.Revision,
							printable(s.EventType), s.At.Format(time.RFC3339), printable(s.By), printable(s.Reason))
					})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}
