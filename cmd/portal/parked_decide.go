package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/user"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"portal.example/domain"
	"portal.example/domain/parked"
	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// span says which of a group's messages are meant: a number of arguments of a
// command, and its flags.
type span struct {
	group string
	one   string // number
	upTo  string // number
	all   bool
}

func (s *span) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.upTo, "up-to", "", "all messages up to and including the one of this number")
	cmd.Flags().BoolVar(&s.all, "all", false, "all messages of the group")
}

func (s *span) args(cmd *cobra.Command, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return misusef("%s: name a group, and the number of a message, --up-to or --all", cmd.CommandPath())
	}
	s.group = args[0]
	said := 0
	if len(args) == 2 {
		s.one = args[1]
		said++
	}
	if s.upTo != "" {
		said++
	}
	if s.all {
		said++
	}
	if said != 1 {
		return misusef("%s: one of the number of a message, --up-to and --all", cmd.CommandPath())
	}
	if number := cmp.Or(s.one, s.upTo); number != "" {
		_, err := parseNumber(number)
		return err
	}
	return nil
}

// messages are those that are meant, the oldest first, where the log can do what
// is wanted with them and no others.
func (s *span) messages(ctx context.Context, client *eventstore.Client) (g eventstore.Group, found []eventstore.ParkedMessage, err error) {
	if g, err = groupNamed(ctx, client, s.group); err != nil {
		return g, nil, err
	}
	last := ^uint64(0)
	if !s.all {
		if last, err = parseNumber(cmp.Or(s.one, s.upTo)); err != nil {
			return g, nil, err
		}
	}
	for m, err := range client.Parked(ctx, g) {
		if err != nil {
			return g, nil, err
		}
		if m.Link.Revision > last {
			break
		}
		found = append(found, m)
	}
	switch {
	case s.all:
		return g, found, nil
	case len(found) == 0 || found[len(found)-1].Link.Revision != last:
		return g, nil, fmt.Errorf("group %s has no parked message %d", s.group, last)
	case s.one != "" && len(found) > 1:
		return g, nil, fmt.Errorf("message %d is not the oldest one, and the log cannot pick it: take %d first, or --up-to %[1]d, which is %d messages",
			last, found[0].Link.Revision, len(found))
	}
	return g, found, nil
}

func parkedRetry() *cobra.Command {
	var s span
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "retry GROUP (NUMBER | --up-to NUMBER | --all)",
		Short: "Have parked messages tried again",
		Long: `Has parked messages delivered to the group's reaction again, at once where one is
running. The log gives them back from the oldest on: NUMBER has to be the oldest.
What fails again is parked again, behind the others and with a new number.` + exitHelp,
		Args: s.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLog(cmd, func(ctx context.Context, client *eventstore.Client) error {
				g, messages, err := s.messages(ctx, client)
				if err != nil {
					return err
				}
				if len(messages) > 0 {
					last := messages[len(messages)-1].Link.Revision
					if err := client.ReplayParkedBefore(ctx, g, last+1); err != nil {
						return err
					}
				}
				return decided(cmd, asJSON, "retrying", len(messages), "%d to be tried again\n")
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func parkedDiscard() *cobra.Command {
	var s span
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "discard GROUP (NUMBER | --up-to NUMBER | --all) --reason TEXT",
		Short: "Give parked messages up, for a reason that is recorded",
		Long: `Gives parked messages up. For each an event, ParkedMessageDiscarded, is recorded, with
the reason and who gave it (the account on this machine); then the log forgets that
it was parked. The events themselves stay. The reason is read by the business's
staff: it must not name a customer.

The log forgets from the oldest on: NUMBER has to be the oldest. Of an interrupted
run, repeat the command. What is being tried again at that moment may still be
dealt with. It takes the log's administrator: the portal's own node knows one, and of
another log it has to be the user in PORTAL_EVENTSTORE.` + exitHelp,
		Args: s.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var check domain.Check
			check.Line("--reason", reason, parked.MaxReason)
			if err := check.Err(); err != nil {
				return misused(err)
			}
			return withLogAs(cmd, node.Access.AdminConnectionString, func(ctx context.Context, client *eventstore.Client) error {
				g, messages, err := s.messages(ctx, client)
				if err != nil {
					return err
				}
				if err := discard(ctx, client, g, messages, reason); err != nil {
					return err
				}
				return decided(cmd, asJSON, "discarded", len(messages), "%d discarded\n")
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in a line of 500 characters at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func decided(cmd *cobra.Command, asJSON bool, what string, messages int, text string) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]int{what: messages})
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), text, messages)
	return err
}

// discard records each decision before the log forgets the message.
func discard(ctx context.Context, client *eventstore.Client, g eventstore.Group, messages []eventstore.ParkedMessage, reason string) error {
	room, err := roomOn(client)
	if err != nil {
		return err
	}
	by := operator()
	for _, m := range messages {
		e, found, err := eventOf(ctx, client, m)
		if err != nil {
			return err
		}
		if !found { // only the link is left of it
			e = m.Link
		}
		id := eventstore.NewID(e.ID, g.ParkedStream()+"\x00"+strconv.FormatUint(m.Link.Revision, 10))
		about := about{Business: ofNobody}
		_ = json.Unmarshal(e.Metadata, &about) // an event that is not the portal's has nothing to say here
		metadata, err := room.SystemCommand(cmp.Or(about.Business, ofNobody), "parked.discard", id.String())
		if err != nil {
			return err
		}
		metadata.CorrelationID, metadata.CausationID = about.CorrelationID, e.ID
		_, err = room.Parked.Execute(ctx, parked.Stream(id.String()), metadata, parked.Discard{
			Group: groupText(g), Number: m.Link.Revision, EventID: e.ID.String(), EventType: e.Type,
			Stream: m.Stream, Revision: m.Revision, Reason: reason, By: by, At: metadata.RecordedAt.Truncate(time.Microsecond),
		})
		if err != nil {
			return err
		}
	}
	if len(messages) == 0 {
		return nil
	}
	return client.DiscardParkedBefore(ctx, g, messages[len(messages)-1].Link.Revision+1)
}

// ofNobody stands for the business where an event is not of any.
const ofNobody = "portal"

// about is what a decision takes from the metadata of the event.
type about struct {
	Business      string    `json:"business"`
	CorrelationID uuid.UUID `json:"$correlationId"`
}

// operator is the account that runs this program.
func operator() string {
	account, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return cmp.Or(account.Username, account.Uid, "unknown")
}
