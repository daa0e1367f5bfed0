package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// parkedCommand is about events that a reaction could not deal with.
func parkedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "List, show, retry and discard events that a reaction could not deal with",
		Long: `An event that a reaction cannot deal with is set aside, while all others flow: where
nothing else would help, in the log at once, by the reaction's group (a persistent
subscription); where trying again might help, as a job in Postgres, which is given
up after some three weeks, or when it panics. These commands work on the log that
PORTAL_EVENTSTORE names, or the one in PORTAL_DATA (.data), and on the jobs in
DATABASE_URL where that is set, beside a running portal or without one.

A group of the whole log is called by its name, one of a stream STREAM::NAME, the
jobs of a reaction by the reaction's name; a message by its number. The log gives
parked messages back, and forgets them, from the oldest on, and cannot pick one. So
of those, retry and discard take the oldest one, all up to a number, or all; of jobs
any. A message that fails again is parked again: in the log behind the others.` + exitHelp,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return misusef("parked: name a subcommand: list, show, retry or discard")
		},
	}
	cmd.AddCommand(parkedList(), parkedShow(), parkedRetry(), parkedDiscard())
	return cmd
}

// parkedGroup is a group, or the jobs of a reaction, with what is parked there.
type parkedGroup struct {
	Group    string     `json:"group"`
	Where    where      `json:"where"`
	Parked   int        `json:"parked"`
	Oldest   *time.Time `json:"oldest"`             // when it was parked
	Retrying int        `json:"retrying,omitempty"` // jobs that failed and will be tried again
}

// parkedItem is a parked message.
type parkedItem struct {
	Number   uint64    `json:"number"`
	Where    where     `json:"where"`
	Parked   time.Time `json:"parked"`
	Stream   string    `json:"stream"` // of the event
	Revision uint64    `json:"revision"`
	Reason   string    `json:"reason"`
	Stack    string    `json:"stack,omitempty"`
	Attempts int       `json:"attempts,omitempty"` // where they were counted

	key  string                                                   // of it among all that is parked anywhere
	find func(context.Context) (eventstore.Recorded, bool, error) // the event; false where the log has no more than this of it
}

// maxParked is how many messages are listed.
const maxParked = 1000

func parkedList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [GROUP]",
		Short: "List the groups with what they have parked, or what one has",
		Long: fmt.Sprintf(`Lists all groups, and the jobs of all reactions, with how much is parked there and how
long ago the oldest of it was parked, or what one has parked, the oldest first, %d at
most. What is being tried again is in the list until it has been dealt with; a job is
not, until it is given up again.`, maxParked) + exitHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misusef("%s takes a group at most, got %q as well", cmd.CommandPath(), args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withShelves(cmd, node.Access.ConnectionString, func(ctx context.Context, all *shelves) error {
				if len(args) == 1 {
					return listMessages(ctx, cmd, all, args[0], asJSON)
				}
				return listGroups(ctx, cmd, all, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func listGroups(ctx context.Context, cmd *cobra.Command, all *shelves, asJSON bool) error {
	items, err := all.groups(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	return show(cmd.OutOrStdout(), asJSON, items, "GROUP\tWHERE\tPARKED\tOLDEST\tRETRYING", func(g parkedGroup) string {
		oldest, retrying := "-", "-"
		if g.Oldest != nil {
			oldest = now.Sub(*g.Oldest).Round(time.Second).String() + " ago"
		}
		if g.Where == inJobs {
			retrying = strconv.Itoa(g.Retrying)
		}
		return fmt.Sprintf("%s\t%s\t%d\t%s\t%s", printable(g.Group), g.Where, g.Parked, oldest, retrying)
	})
}

func listMessages(ctx context.Context, cmd *cobra.Command, all *shelves, group string, asJSON bool) error {
	s, err := all.named(ctx, group)
	if err != nil {
		return err
	}
	var items []parkedItem
	for item, err := range s.items(ctx) {
		if err != nil {
			return err
		}
		if items = append(items, item); len(items) == maxParked {
			break
		}
	}
	return show(cmd.OutOrStdout(), asJSON, items, "NUMBER\tPARKED\tEVENT\tREASON", func(i parkedItem) string {
		reason, _, _ := strings.Cut(i.Reason, "\n")
		return fmt.Sprintf("%d\t%s\t%s\t%.120s", i.Number, i.Parked.Format(time.RFC3339), printable(eventText(i)), printable(reason))
	})
}

func eventText(i parkedItem) string { return fmt.Sprintf("%s@%d", i.Stream, i.Revision) }

func parseNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, misusef("parked: %.40q is not the number of a message", text)
	}
	return n, nil
}
