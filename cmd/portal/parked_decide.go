package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/user"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"portal.example/commands"
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

// choose looks up what is meant, and refuses what the shelf cannot do.
func (s *span) choose(ctx context.Context, all *shelves) (shelf, chosen, error) {
	from, err := all.named(ctx, s.group)
	if err != nil {
		return nil, chosen{}, err
	}
	last := ^uint64(0)
	if !s.all {
		if last, err = parseNumber(cmp.Or(s.one, s.upTo)); err != nil {
			return nil, chosen{}, err
		}
	}
	var c chosen
	for item, err := range from.items(ctx) {
		if err != nil {
			return nil, chosen{}, err
		}
		if item.Number > last {
			break
		}
		if s.one != "" && from.picks() && item.Number < last {
			continue
		}
		if c.count == 0 {
			c.first = item.Number
		}
		c.last = item.Number
		c.count++
	}
	switch {
	case s.all:
	case c.count == 0 || c.last != last:
		return nil, chosen{}, fmt.Errorf("group %s has no parked message %d", s.group, last)
	case s.one != "" && c.count > 1:
		return nil, chosen{}, fmt.Errorf(
			"message %d is not the oldest one, and the log cannot pick it: take %d first, or --up-to %[1]d, which is %d messages",
			last, c.first, c.count)
	}
	return from, c, nil
}

func parkedRetry() *cobra.Command {
	var s span
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "retry GROUP (NUMBER | --up-to NUMBER | --all)",
		Short: "Have parked messages tried again",
		Long: `Has parked messages delivered to the group's reaction again, at once where one is
running. The log gives them back from the oldest on: NUMBER has to be the oldest; of
jobs it can be any. What fails again is parked again: in the log behind the others
and with a new number, a job, under its old one, with one more try where all were used up.` + exitHelp,
		Args: s.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withShelves(cmd, node.Access.ConnectionString, func(ctx context.Context, all *shelves) error {
				from, c, err := s.choose(ctx, all)
				if err == nil && c.count > 0 {
					err = from.retry(ctx, c)
				}
				if err != nil {
					return err
				}
				return decided(cmd, asJSON, "retrying", c.count, "%d to be tried again\n")
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
it was parked, or the job is deleted. The events themselves stay. The reason is read
by the business's staff: it must not name a customer.

The log forgets from the oldest on: NUMBER has to be the oldest; of jobs it can be
any. Of an interrupted run, repeat the command. What is being tried again at that moment may still be
dealt with. It takes the log's administrator: the portal's own node knows one, and of
another log it has to be the user in PORTAL_EVENTSTORE.` + exitHelp,
		Args: s.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var check domain.Check
			check.Line("--reason", reason, parked.MaxReason)
			if err := check.Err(); err != nil {
				return misused(err)
			}
			return withShelves(cmd, node.Access.AdminConnectionString, func(ctx context.Context, all *shelves) error {
				from, c, err := s.choose(ctx, all)
				if err != nil {
					return err
				}
				room, err := roomOn(all.log)
				if err == nil && c.count > 0 {
					decision := parked.Discard{Group: s.group, Reason: reason, By: operator()}
					err = from.discard(ctx, c, func(item parkedItem) error { return record(ctx, room, item, decision) })
				}
				if err != nil {
					return err
				}
				return decided(cmd, asJSON, "discarded", c.count, "%d discarded\n")
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

// record records a decision, once however often it is made.
func record(ctx context.Context, room *commands.Room, item parkedItem, decision parked.Discard) error {
	e, _, err := item.find(ctx)
	if err != nil {
		return err
	}
	id := eventstore.NewID(e.ID, item.key)
	about := about{Business: ofNobody}
	_ = json.Unmarshal(e.Metadata, &about) // an event that is not the portal's has nothing to say here
	metadata, err := room.SystemCommand(cmp.Or(about.Business, ofNobody), "parked.discard", id.String())
	if err != nil {
		return err
	}
	metadata.CorrelationID, metadata.CausationID = about.CorrelationID, e.ID
	decision.Number, decision.EventID, decision.EventType = item.Number, e.ID.String(), e.Type
	decision.Stream, decision.Revision, decision.At = item.Stream, item.Revision, metadata.RecordedAt.Truncate(time.Microsecond)
	_, err = room.Parked.Execute(ctx, parked.Stream(id.String()), metadata, decision)
	return err
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
