package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// lastEvents is how many events are shown where nobody says.
const lastEvents = 10

// maxLast bounds what is kept in memory to be shown in order.
const maxLast = 100_000

// tail is what is to be shown of the log.
type tail struct {
	selection
	from   string // start, end, a position, or nothing: the last events
	newest int    // where from is nothing: how many of them
	limit  int    // of all that is shown; 0: none
	follow bool
}

func eventsTail() *cobra.Command {
	var (
		t                tail
		slug             string
		noFollow, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show events, the last ones or from some place on",
		Long: fmt.Sprintf(`Shows events, one a line: when the log took it, its position, type, stream with
revision, and who acted. Without --from it shows the last %d, or --limit of them;
with it, all that come after that position. --from end begins with what is appended
from now on. With --follow it goes on until it is interrupted or has shown --limit
events, those from before included. It follows what a running portal or node
appends: where nobody serves the log, nothing new could come, and it refuses.

With --json the output is JSON Lines, an object a line, since a stream has no end
at which a list could be closed. `, lastEvents) + lineHelp + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.check(noFollow); err != nil {
				return err
			}
			write := newTextWriter(cmd.OutOrStdout()).write
			if asJSON {
				write = newLineWriter(cmd.OutOrStdout()).write
			}
			return withLog(cmd, func(ctx context.Context, client *eventstore.Client) (err error) {
				if err := t.mayFollow(); err != nil {
					return err
				}
				if t.business, err = businessIn(ctx, client, slug); err != nil {
					return err
				}
				err = t.show(ctx, client, write)
				if t.follow && ctx.Err() != nil {
					return nil //nolint:nilerr // it was interrupted, as it is to be
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&t.from, "from", "", "start, end, or the position after which to begin")
	cmd.Flags().StringArrayVar(&t.types, "type", nil, "only events of this type; can be repeated")
	cmd.Flags().StringVar(&t.stream, "stream", "", "only streams whose name begins so, such as quote-")
	cmd.Flags().StringVar(&slug, "business", "", "only events of this business, by slug or id")
	cmd.Flags().IntVar(&t.limit, "limit", 0, "how many events at most")
	cmd.Flags().BoolVar(&t.follow, "follow", false, "go on with what is appended; --from end implies it")
	cmd.Flags().BoolVar(&noFollow, "no-follow", false, "stop at the end of the log, which is the default")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON Lines for programs")
	return cmd
}

func (t *tail) check(noFollow bool) error {
	if t.limit < 0 {
		return misusef("--limit: must not be negative")
	}
	if t.follow && noFollow {
		return misusef("--follow: not together with --no-follow")
	}
	switch t.from {
	case "end":
		t.follow = !noFollow
	case "":
		t.newest = cmp.Or(t.limit, lastEvents)
		if t.newest > maxLast {
			return misusef("--limit: %d at most without --from", maxLast)
		}
	case "start":
	default:
		if _, err := eventstore.ParsePosition(t.from); err != nil {
			return misusef("--from: must be start, end or a position, not %.40q", t.from)
		}
	}
	return nil
}

// mayFollow refuses where this command itself has the log open, which is in no
// list: it would keep the portal from starting for as long as it follows.
func (t *tail) mayFollow() error {
	if !t.follow || os.Getenv("PORTAL_EVENTSTORE") != "" {
		return nil
	}
	if _, err := node.Discover(dataFolder()); !errors.Is(err, node.ErrNoNode) {
		return err
	}
	return fmt.Errorf("--follow: nobody serves the log in %s, so that nothing new could come; start a portal or a node first", dataFolder())
}

func (t *tail) show(ctx context.Context, client *eventstore.Client, write func(*eventstore.Recorded) error) error {
	if t.from == "" {
		events, end, err := t.last(ctx, client)
		if err != nil {
			return err
		}
		for i := range events {
			if err := write(&events[i]); err != nil {
				return err
			}
		}
		if !t.follow {
			return nil
		}
		if t.limit > 0 && len(events) == t.limit {
			return nil
		}
		t.limit -= min(t.limit, len(events))
		return t.print(followed(ctx, client, end), write)
	}
	after, err := t.after(ctx, client)
	if err != nil {
		return err
	}
	if t.follow {
		return t.print(followed(ctx, client, after), write)
	}
	return t.print(client.ReadAll(ctx, after), write)
}

// last is the last events, in order, and the end of the log behind them.
func (t *tail) last(ctx context.Context, client *eventstore.Client) (events []eventstore.Recorded, end eventstore.Position, err error) {
	for e, err := range client.ReadAllBack(ctx) {
		if err != nil {
			return nil, end, err
		}
		if end == eventstore.Start() {
			end = e.Position
		}
		if t.has(&e) {
			events = append(events, e)
		}
		if len(events) == t.newest {
			break
		}
	}
	slices.Reverse(events)
	return events, end, nil
}

func (t *tail) after(ctx context.Context, client *eventstore.Client) (eventstore.Position, error) {
	switch t.from {
	case "start":
		return eventstore.Start(), nil
	case "end":
		return client.Head(ctx)
	}
	at, err := eventstore.ParsePosition(t.from)
	if err != nil {
		return at, err
	}
	return at, within(ctx, client, "--from", at)
}

// within refuses a position beyond the end of the log: most words can be read as
// one.
func within(ctx context.Context, client *eventstore.Client, flag string, at eventstore.Position) error {
	head, err := client.Head(ctx)
	if err == nil && at.Compare(head) > 0 {
		err = misusef("%s: %s is beyond the end of the log, which is at %s", flag, at, head)
	}
	return err
}

// print writes the events that are wanted, up to the limit.
func (t *tail) print(events iter.Seq2[eventstore.Recorded, error], write func(*eventstore.Recorded) error) error {
	shown := 0
	for e, err := range events {
		if err != nil {
			return err
		}
		if !t.has(&e) {
			continue
		}
		if err := write(&e); err != nil {
			return err
		}
		if shown++; shown == t.limit {
			return nil
		}
	}
	return nil
}

// followed yields what comes after a position, without end. A log that is away is
// waited for.
func followed(ctx context.Context, client *eventstore.Client, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		s := client.Subscribe(ctx, eventstore.SubscribeOptions{From: after, Filter: eventstore.UserEvents()})
		defer s.Close()
		for {
			notices, err := s.NextBatch(ctx, 1024)
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for i := range notices {
				if notices[i].Kind == eventstore.EventAppeared && !yield(notices[i].Event, nil) {
					return
				}
			}
		}
	}
}
