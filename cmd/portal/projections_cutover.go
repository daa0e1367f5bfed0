package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portal.example/projections/runner"
)

func projectionsCutOver() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cutover NAME",
		Short: "Put what a replay has filled in the place of what is live",
		Long: `Has requests read what a replay, or the next version, has filled: in one
transaction, once it is not behind what is live, so that nobody who reads goes back
in time. What was live is kept, for "portal projections rollback". Of a part replay
the rows replace the live ones of the part, and are not kept. After a roll-back it
brings back what was rolled back.

It waits two minutes and says what for; the cut-over stays asked for then.` + exitHelp,
		Args: oneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRunner(cmd, func(w *replayWatch) error {
				build, err := w.runner.CutOver(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return w.untilCutOver(build, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// cutOverPatience is how long a cut-over of what is ready is waited for.
const cutOverPatience = 2 * time.Minute

// untilCutOver watches a build until it is live.
func (w *replayWatch) untilCutOver(build int64, asJSON bool) error {
	var ready time.Time
	s, err := w.watch(build, func(s runner.Status) bool {
		if s.Ready && ready.IsZero() {
			ready = time.Now()
		}
		over := s.State() == runner.Live || s.State() == runner.Ended
		return over || !ready.IsZero() && (time.Since(ready) > cutOverPatience || !s.Cutting)
	})
	switch {
	case err != nil:
		return err
	case s.State() == runner.Ended:
		return w.end(s, asJSON, s.Note)
	case s.State() != runner.Live && !s.Cutting:
		return fmt.Errorf("%s: %s", s.Projection, s.Note)
	case s.State() != runner.Live:
		return fmt.Errorf("%s is not cut over yet: %s; it stays asked for, and `portal projections status` tells", s.Projection, s.Note)
	}
	return w.end(s, asJSON, fmt.Sprintf("version %d from %s is live; `portal projections rollback %[3]s` goes back", s.Version, s.Schema, s.Projection))
}

func projectionsRollBack() *cobra.Command {
	var asJSON, stale bool
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Go back to what was live before",
		Long: `Has requests read again what was live before the last cut-over. It is brought up
to date first and then goes live in one transaction, so that nobody who reads goes
back in time. That takes a program that has its version of the projection: another
one refuses, unless --stale is given, which switches at once and leaves the tables
as old as they are; answers say how old (Portal-As-Of). "portal projections
cutover" undoes it. A version that was rolled back does not go live by itself again.` + exitHelp,
		Args: oneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRunner(cmd, func(w *replayWatch) error {
				if stale {
					return w.rollBackStale(args[0], asJSON)
				}
				build, err := w.runner.RollBack(cmd.Context(), args[0])
				if errors.Is(err, runner.ErrOtherVersion) {
					return fmt.Errorf("%w; run that one's program, or --stale", err)
				}
				if err != nil {
					return err
				}
				return w.untilCutOver(build, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&stale, "stale", false, "at once, with tables as old as they are")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func (w *replayWatch) rollBackStale(name string, asJSON bool) error {
	asOf, err := w.runner.RollBackStale(w.cmd.Context(), name)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(w.cmd.OutOrStdout()).Encode(map[string]any{"projection": name, "asOf": asOf.UTC()})
	}
	_, err = fmt.Fprintf(w.cmd.OutOrStdout(), "%s: what was live before is live, complete up to %s\n", name, asOf.UTC().Format(time.RFC3339))
	return err
}

func projectionsDrop() *cobra.Command {
	var asJSON, yes bool
	cmd := &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop what was live before",
		Long: `Drops the tables that were live before the last cut-over, after which nobody can go
back to them. It asks on a terminal, and wants --yes elsewhere.` + exitHelp,
		Args: oneProjection,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !agreed(cmd, fmt.Sprintf("Drop the tables of %s that were live before?", args[0])) {
				return misusef("projections drop: nothing is dropped without a yes, or --yes")
			}
			return withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				n, err := runner.Drop(ctx, pool, args[0])
				switch {
				case err != nil:
					return err
				case asJSON:
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]int{"dropped": n})
				case n == 0:
					return fmt.Errorf("%s: %w", args[0], runner.ErrNothingBefore)
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "dropped")
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// agreed asks a person, if there is one.
func agreed(cmd *cobra.Command, question string) bool {
	f, is := cmd.InOrStdin().(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	fmt.Fprint(cmd.ErrOrStderr(), question+" [y/N] ")
	line, err := bufio.NewReader(f).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(line), "y")
}
