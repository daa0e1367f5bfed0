package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/projections/runner"
)

// replayOptions are the flags of a replay.
type replayOptions struct {
	business, since, until string
	streams                []string
	throttle               int
	cutOver, detach, json  bool
}

func projectionsReplay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay NAME",
		Short: "Fill a read model again beside the live one",
		Long: `Fills new tables for a read model from the log, beside the live ones, while
traffic goes on, and shows how far it is. The portal that runs does it; where none
runs, this command does it itself. What is filled waits, kept up with the log, for
"portal projections cutover NAME", or goes live by itself with --cutover. Nothing
else happens in a replay: no mail, no payment, no timer.

With --business or --stream only that part of the history is replayed, and a
cut-over replaces the rows of the part. What is filled from a span of time can be
looked at and is never cut over.

An interrupt ends the watching and not the replay. The same command without flags
watches it again. With --json the last line is one object, as of "projections
status".` + exitHelp,
		Args: oneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRunner(cmd, func(w *replayWatch) error { return o.run(w, args[0]) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.business, "business", "", "slug or id of the business whose history is replayed")
	flags.StringArrayVar(&o.streams, "stream", nil, "a stream that is replayed; may be given again")
	flags.StringVar(&o.since, "since", "", "replay what was recorded from this RFC 3339 time on")
	flags.StringVar(&o.until, "until", "", "replay what was recorded before this RFC 3339 time")
	flags.IntVar(&o.throttle, "throttle", 0, "events a second at most")
	flags.BoolVar(&o.cutOver, "cutover", false, "cut over as soon as all is applied")
	flags.BoolVar(&o.detach, "detach", false, "do not watch")
	flags.BoolVar(&o.json, "json", false, "print JSON for programs")
	cmd.AddCommand(
		wishCommand("pause", "Have a replay wait", runner.Pause),
		wishCommand("resume", "Have a paused replay go on", runner.Resume),
		wishCommand("cancel", "End a replay and drop what it has filled", runner.Cancel),
		throttleCommand(),
	)
	return cmd
}

func (o *replayOptions) run(w *replayWatch, name string) error {
	options, err := o.options(w)
	if err != nil {
		return err
	}
	build, err := w.runner.Replay(w.cmd.Context(), name, options)
	if errors.Is(err, runner.ErrUnderWay) && o.plain() {
		build, err = runner.UnderWay(w.cmd.Context(), w.pool, name)
		fmt.Fprintln(w.cmd.ErrOrStderr(), "a replay is under way already; this is how it goes on")
	}
	if err != nil {
		return err
	}
	if o.detach {
		s, err := w.runner.Look(w.cmd.Context(), build)
		if err != nil {
			return err
		}
		return w.end(s, o.json, "begun; the portal that runs does it, and `portal projections status` tells how far it is")
	}
	if o.cutOver {
		return w.untilCutOver(build, o.json)
	}
	s, err := w.watch(build, func(s runner.Status) bool { return s.Ready || s.State() != runner.Building })
	if err != nil {
		return err
	}
	return w.end(s, o.json, fmt.Sprintf("%d events applied; `portal projections cutover %s` puts it in the place of what is live", s.Progress.Events, name))
}

// plain tells whether nothing is asked for but the projection.
func (o *replayOptions) plain() bool {
	return o.business == "" && o.since == "" && o.until == "" && len(o.streams) == 0 && o.throttle == 0 && !o.cutOver && !o.detach
}

func (o *replayOptions) options(w *replayWatch) (options runner.Options, err error) {
	options = runner.Options{Throttle: o.throttle, CutOver: o.cutOver, Scope: runner.Scope{Streams: o.streams}}
	if o.throttle < 0 {
		return options, misusef("--throttle: must not be negative")
	}
	if o.cutOver && (o.since != "" || o.until != "") {
		return options, misusef("--cutover: what is filled from a span of time is never cut over")
	}
	if options.Scope.Since, err = moment("since", o.since); err != nil {
		return options, err
	}
	if options.Scope.Until, err = moment("until", o.until); err != nil {
		return options, err
	}
	if o.business != "" {
		options.Scope.Business, err = businessBy(w, o.business)
	}
	return options, err
}

func moment(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return t, misusef("--%s: must be a time such as 2026-03-14T12:00:00Z", flag)
	}
	return t.UTC(), nil
}

// businessBy finds a business in its read model. An id is taken as it is: that
// read model may be what is to be replayed.
func businessBy(w *replayWatch, slug string) (id string, err error) {
	if parsed, err := uuid.Parse(slug); err == nil && parsed.String() == slug {
		return slug, nil
	}
	err = w.pool.QueryRow(w.cmd.Context(), `SELECT business_id FROM read.businesses WHERE slug = $1`, slug).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("--business: there is no business %q; its id would do as well", slug)
	}
	return id, err
}

// wishCommand writes a wish down, for whoever leads the build.
func wishCommand(verb, short string, do wishing) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: oneProjection,
		Long: short + ", within a moment. It asks Postgres (DATABASE_URL); the portal that runs obeys." + exitHelp,
		RunE: func(cmd *cobra.Command, args []string) error { return grant(cmd, args[0], asJSON, do) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func throttleCommand() *cobra.Command {
	var asJSON bool
	var perSecond int
	cmd := &cobra.Command{
		Use: "throttle NAME --rate N", Short: "Bound how fast a replay goes", Args: oneProjection,
		Long: `Bounds how many events of the log a second a replay reads; 0 takes the bound away.
Tables that go live are throttled no more.` + exitHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("rate") || perSecond < 0 {
				return misusef("--rate: name a number of events a second, 0 for no bound")
			}
			return grant(cmd, args[0], asJSON, func(ctx context.Context, pool *pgxpool.Pool, build int64) error {
				return runner.Throttle(ctx, pool, build, perSecond)
			})
		},
	}
	cmd.Flags().IntVar(&perSecond, "rate", 0, "events a second at most; 0 for no bound")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func grant(cmd *cobra.Command, name string, asJSON bool, do wishing) error {
	return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
		build, err := runner.UnderWay(ctx, pool, name)
		if err != nil {
			return err
		}
		if err := do(ctx, pool, build); err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]int64{"build": build})
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "done")
		return err
	})
}

// oneProjection demands the name of a projection that this program has.
func oneProjection(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		var names []string
		for _, p := range projections() {
			names = append(names, p.Name())
		}
		return misusef("%s: name one of %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	return atMostOneProjection(cmd, args)
}
