package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portal.example/internal/database"
	"portal.example/projections/runner"
	"portal.example/readapi"
)

// asOfOptions are the flags of a dashboard as it was.
type asOfOptions struct {
	business, at, by, currency string
	json                       bool
}

func projectionsAsOf() *cobra.Command {
	var o asOfOptions
	names := strings.Join(slices.Sorted(maps.Keys(readapi.Dashboards)), "|")
	cmd := &cobra.Command{
		Use:   "asof " + names + " --business SLUG --at TIME",
		Short: "Show a dashboard as it was",
		Long: `Shows a dashboard of a business as it was at a moment, computed from the events
until then: by default as it was known then (--by recorded), or as it was by what is
known today (--by occurred). Histories that were imported occurred long before they
were recorded.

The events are replayed into temporary tables, which the portal that runs fills, or
this command where none runs. They are kept for an hour after they were last asked
for. With --json it prints {"dashboard":…,"asOf":…,"by":…,"figures":{…}}.` + exitHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || readapi.Dashboards[args[0]] == "" {
				return misusef("%s: name one of %s", cmd.CommandPath(), names)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.business == "" {
				return misusef("--business: name a business")
			}
			if o.by != "recorded" && o.by != readapi.ByOccurred {
				return misusef("--by: must be recorded or occurred, not %.40q", o.by)
			}
			return withRunner(cmd, func(w *replayWatch) error { return o.run(w, args[0]) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.business, "business", "", "slug or id of the business")
	flags.StringVar(&o.at, "at", "", "the moment (RFC 3339), or a day, of which the end is meant")
	flags.StringVar(&o.by, "by", "recorded", "recorded or occurred")
	flags.StringVar(&o.currency, "currency", "", "the business's by default")
	flags.BoolVar(&o.json, "json", false, "print JSON for programs")
	return cmd
}

func (o *asOfOptions) run(w *replayWatch, dashboard string) error {
	ctx := w.cmd.Context()
	b, err := businessOf(w, o.business)
	if err != nil {
		return err
	}
	at, err := readapi.ParseMoment(o.at, b.zone, time.Now())
	if err != nil {
		return misusef("--at: %w", err)
	}
	build, err := w.runner.AsOf(ctx, readapi.Dashboards[dashboard], readapi.ScopeAt(b.id, at, o.by))
	if err != nil {
		return err
	}
	if build, err = w.watch(build.Build, func(s runner.Status) bool { return s.Ready }); err != nil {
		return err
	}
	readers, err := database.NewReaders(ctx, w.pool)
	if err != nil {
		return err
	}
	defer readers.Close()
	figures, err := readapi.DashboardIn(ctx, readers, b.id, dashboard, build.Schema, o.currency, at)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(map[string]any{
		"dashboard": dashboard, "asOf": at.UTC(), "by": o.by, "figures": figures,
	})
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if o.json {
		text.Write(answer)
	} else if err := json.Indent(&text, answer, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.cmd.OutOrStdout(), text.String())
	return err
}

// aBusiness is what a question about a business's past needs to know of it.
type aBusiness struct {
	id, currency string
	zone         *time.Location
}

func businessOf(w *replayWatch, slug string) (b aBusiness, err error) {
	if b.id, err = businessBy(w, slug); err != nil {
		return b, err
	}
	ctx, cancel := context.WithTimeout(w.cmd.Context(), 30*time.Second)
	defer cancel()
	var zone string
	if err = w.pool.QueryRow(ctx, `SELECT currency, time_zone FROM read.businesses WHERE business_id = $1`, b.id).
		Scan(&b.currency, &zone); err != nil {
		return b, fmt.Errorf("--business: the read model of businesses does not know %s: %w", slug, err)
	}
	b.zone, err = time.LoadLocation(zone)
	return b, err
}
