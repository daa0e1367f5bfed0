package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"portal.example/commands"
	"portal.example/commands/businesses"
	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// eventsCommand looks into the log from the command line.
func eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Look into the event log",
		Long: `Looks into the event log: the one that PORTAL_EVENTSTORE names, or the one in
PORTAL_DATA (.data), beside a running portal or node or without one. Personal
fields stay sealed, unless an export is told otherwise.` + exitHelp,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return misusef("events: name a subcommand: tail, export or stats")
		},
	}
	cmd.AddCommand(eventsTail(), eventsExport(), eventsStats())
	return cmd
}

// withLog opens the log alone, for what needs no database.
func withLog(cmd *cobra.Command, do func(context.Context, *eventstore.Client) error) error {
	return withLogAs(cmd, node.Access.ConnectionString, do)
}

func withLogAs(cmd *cobra.Command, as func(node.Access) string, do func(context.Context, *eventstore.Client) error) error {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	client, done, err := openLogAs(cmd.Context(), dataFolder(), log, as)
	if err != nil {
		return err
	}
	err = do(cmd.Context(), client)
	if closeErr := done(); err == nil {
		err = closeErr
	}
	return err
}

// dataFolder is where the portal keeps what is not in Postgres.
func dataFolder() string { return cmp.Or(os.Getenv("PORTAL_DATA"), ".data") }

// roomOn is for use cases in which nothing is personal: they need the log alone.
func roomOn(client *eventstore.Client) (*commands.Room, error) {
	codec, err := eventstore.NewCodec(nil, commands.EventTypes()...)
	if err != nil {
		return nil, err
	}
	store, err := commands.NewStore(client, codec)
	if err != nil {
		return nil, err
	}
	return &commands.Room{Store: store, Now: time.Now}, nil
}

// businessIn takes an id as well as a slug, and leaves an empty one empty.
func businessIn(ctx context.Context, client *eventstore.Client, slug string) (string, error) {
	if id, err := uuid.Parse(slug); slug == "" || err == nil && id.String() == slug {
		return slug, nil
	}
	room, err := roomOn(client)
	if err != nil {
		return "", err
	}
	return businesses.Resolve(ctx, room.Store, slug)
}

func eventsStats() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count the log's events by type",
		Long:  "Reads the whole log and counts its events by type, with the bytes of their data." + exitHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLog(cmd, func(ctx context.Context, client *eventstore.Client) error {
				s, err := gatherStats(ctx, client)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
				}
				return s.print(cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// logStats is what a log holds, by type of event.
type logStats struct {
	Events   uint64      `json:"events"`
	Bytes    uint64      `json:"bytes"` // of the events' data
	Position string      `json:"position"`
	Items    []typeStats `json:"items"`
}

type typeStats struct {
	Type   string `json:"type"`
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}

func gatherStats(ctx context.Context, client *eventstore.Client) (logStats, error) {
	var s logStats
	byType := map[string]*typeStats{}
	var last eventstore.Position
	for e, err := range client.ReadAll(ctx, eventstore.Start()) {
		if err != nil {
			return s, err
		}
		t := byType[e.Type]
		if t == nil {
			t = &typeStats{Type: e.Type}
			byType[e.Type] = t
		}
		t.Events++
		t.Bytes += uint64(len(e.Data))
		s.Events++
		s.Bytes += uint64(len(e.Data))
		last = e.Position
	}
	s.Position = last.String()
	s.Items = make([]typeStats, 0, len(byType))
	for _, name := range slices.Sorted(maps.Keys(byType)) {
		s.Items = append(s.Items, *byType[name])
	}
	return s, nil
}

func (s logStats) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "events\tbytes\t  type\t")
	for _, t := range s.Items {
		fmt.Fprintf(table, "%d\t%d\t  %s\t\n", t.Events, t.Bytes, t.Type)
	}
	fmt.Fprintf(table, "%d\t%d\t  all, up to position %s\t\n", s.Events, s.Bytes, s.Position)
	return table.Flush()
}
