package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portal.example/eventstore"
)

// parkedCommand is about events that a reaction could not deal with.
func parkedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "List, show, retry and discard events that a reaction could not deal with",
		Long: `An event that a reaction cannot deal with is parked: the log sets it aside in the
reaction's group (a persistent subscription), while all others flow. These commands
work on the log that PORTAL_EVENTSTORE names, or the one in PORTAL_DATA (.data),
beside a running portal or without one.

A group of the whole log is called by its name, one of a stream STREAM::NAME; a
message by its number. The log gives parked messages back, and forgets them, from
the oldest on, and cannot pick one. So retry and discard take the oldest one, all up
to a number, or all. A message that fails again is parked again, behind the others.` + exitHelp,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return misusef("parked: name a subcommand: list, show, retry or discard")
		},
	}
	cmd.AddCommand(parkedList(), parkedShow(), parkedRetry(), parkedDiscard())
	return cmd
}

// groupText is what a group is called on the command line.
func groupText(g eventstore.Group) string {
	if g.Stream == "" {
		return g.Name
	}
	return g.Stream + "::" + g.Name
}

// groupNamed is the group that is called so.
func groupNamed(ctx context.Context, client *eventstore.Client, text string) (eventstore.Group, error) {
	groups, err := client.Groups(ctx)
	if err != nil {
		return eventstore.Group{}, err
	}
	for _, g := range groups {
		if groupText(g) == text {
			return g, nil
		}
	}
	return eventstore.Group{}, fmt.Errorf("there is no group %.200q; parked list names those that there are", text)
}

// parkedGroup is a group with what it has parked.
type parkedGroup struct {
	Group  string     `json:"group"`
	Parked int        `json:"parked"`
	Oldest *time.Time `json:"oldest"` // when it was parked
}

// parkedItem is a parked message.
type parkedItem struct {
	Number   uint64    `json:"number"`
	Parked   time.Time `json:"parked"`
	Stream   string    `json:"stream"` // of the event
	Revision uint64    `json:"revision"`
	Reason   string    `json:"reason"`
	Stack    string    `json:"stack,omitempty"`
	Attempts int       `json:"attempts,omitempty"` // where the log counted them
}

func itemOf(m eventstore.ParkedMessage) parkedItem {
	i := parkedItem{Number: m.Link.Revision, Parked: m.Link.Created.UTC(), Stream: m.Stream, Revision: m.Revision}
	i.Reason, i.Stack = splitStack(m.Reason)
	if count := retryCount.FindStringSubmatch(m.Reason); count != nil {
		if retries, err := strconv.Atoi(count[1]); err == nil {
			i.Attempts = retries + 1
		}
	}
	return i
}

// retryCount is how the log says why it parked by itself.
var retryCount = regexp.MustCompile(`^Reached retry count of (\d+)$`)

// splitStack takes apart what Watermill's Recoverer makes of a panic.
func splitStack(reason string) (text, stack string) {
	text, stack, _ = strings.Cut(reason, ", stacktrace: \n")
	return text, strings.TrimSpace(stack)
}

// maxParked is how many messages are listed.
const maxParked = 1000

func parkedList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [GROUP]",
		Short: "List the groups with what they have parked, or what one has",
		Long: fmt.Sprintf(`Lists all groups with how much they have parked and how long ago the oldest of it was
parked, or what one group has parked, the oldest first, %d at most. What is being
tried again is in the list until it has been dealt with.`, maxParked) + exitHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misusef("%s takes a group at most, got %q as well", cmd.CommandPath(), args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withLog(cmd, func(ctx context.Context, client *eventstore.Client) error {
				if len(args) == 1 {
					return listMessages(ctx, cmd, client, args[0], asJSON)
				}
				return listGroups(ctx, cmd, client, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func listGroups(ctx context.Context, cmd *cobra.Command, client *eventstore.Client, asJSON bool) error {
	groups, err := client.Groups(ctx)
	if err != nil {
		return err
	}
	var items []parkedGroup
	for _, g := range groups {
		item := parkedGroup{Group: groupText(g)}
		for m, err := range client.Parked(ctx, g) {
			if err != nil {
				return err
			}
			if item.Parked++; item.Oldest == nil {
				at := m.Link.Created.UTC()
				item.Oldest = &at
			}
		}
		items = append(items, item)
	}
	now := time.Now()
	return show(cmd.OutOrStdout(), asJSON, items, "GROUP\tPARKED\tOLDEST", func(g parkedGroup) string {
		oldest := "-"
		if g.Oldest != nil {
			oldest = now.Sub(*g.Oldest).Round(time.Second).String() + " ago"
		}
		return fmt.Sprintf("%s\t%d\t%s", printable(g.Group), g.Parked, oldest)
	})
}

func listMessages(ctx context.Context, cmd *cobra.Command, client *eventstore.Client, group string, asJSON bool) error {
	g, err := groupNamed(ctx, client, group)
	if err != nil {
		return err
	}
	var items []parkedItem
	for m, err := range client.Parked(ctx, g) {
		if err != nil {
			return err
		}
		if items = append(items, itemOf(m)); len(items) == maxParked {
			break
		}
	}
	return show(cmd.OutOrStdout(), asJSON, items, "NUMBER\tPARKED\tEVENT\tREASON", func(i parkedItem) string {
		reason, _, _ := strings.Cut(i.Reason, "\n")
		return fmt.Sprintf("%d\t%s\t%s\t%.120s", i.Number, i.Parked.Format(time.RFC3339), printable(eventText(i)), printable(reason))
	})
}

func eventText(i parkedItem) string { return fmt.Sprintf("%s@%d", i.Stream, i.Revision) }

// messageOf is the parked message of a number.
func messageOf(ctx context.Context, client *eventstore.Client, g eventstore.Group, number uint64) (eventstore.ParkedMessage, error) {
	for m, err := range client.Parked(ctx, g) {
		if err != nil || m.Link.Revision == number {
			return m, err
		}
	}
	return eventstore.ParkedMessage{}, fmt.Errorf("group %s has no parked message %d", groupText(g), number)
}

// eventOf is the event that was parked; false where the log does not have it any
// more.
func eventOf(ctx context.Context, client *eventstore.Client, m eventstore.ParkedMessage) (eventstore.Recorded, bool, error) {
	for e, err := range client.ReadStream(ctx, m.Stream, m.Revision) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			break
		}
		return e, err == nil && e.Revision == m.Revision, err
	}
	return eventstore.Recorded{}, false, nil
}

func parseNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, misusef("parked: %.40q is not the number of a message", text)
	}
	return n, nil
}
