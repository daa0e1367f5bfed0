package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	readmodels "portal.example/projections"
	"portal.example/projections/compare"
)

// chainTime bounds the work on a chain where somebody waits at a terminal.
const chainTime = 5 * time.Minute

func projectionsWhy() *cobra.Command {
	var slug string
	var full, personal, asJSON bool
	cmd := &cobra.Command{
		Use:   "why NAME TABLE KEY",
		Short: "Tell which events made a row of a live read model",
		Long: `Tells which event changed a row of a live read model last, by whom and by which
command. KEY is the values of the table's key, separated by commas, or column=value
pairs that fit one row, as in

  portal projections why invoices invoices number=17,currency=EUR --business acme

With --full it tells all events without which the row would be another, and what
would be: it folds the row's events again, in tables that are never committed, without
each of them. Where the row's own stream does not make it, it looks at the streams of
the ids in the row, and then at the whole business.

Texts that may be personal are withheld, unless --personal asks for them.` + exitHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return misusef("%s: name a projection, a table and a row", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var provenance *compare.Provenance
			if err := withPortal(cmd, func(_ context.Context, p *portal) (err error) {
				provenance, err = p.why(cmd, compare.Key{Projection: args[0], Table: args[1], Row: args[2]}, slug, full, personal)
				return err
			}); err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetEscapeHTML(false)
				return encoder.Encode(provenance)
			}
			showProvenance(cmd.OutOrStdout(), provenance)
			return nil
		},
	}
	cmd.Flags().StringVar(&slug, "business", "", "only rows of this business, by slug or id")
	cmd.Flags().BoolVar(&full, "full", false, "tell all events that made the row")
	cmd.Flags().BoolVar(&personal, "personal", false, "show texts that may be personal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func (p *portal) why(cmd *cobra.Command, key compare.Key, slug string, full, personal bool) (*compare.Provenance, error) {
	ctx := cmd.Context()
	tracer := compare.NewTracer(compare.TracerConfig{
		Pool: p.pool, Log: p.log, Codec: p.codec, Code: known(p.pool).Code,
		Disclosed: readmodels.Disclosed, Personal: personal, Time: chainTime,
	})
	found, err := p.find(ctx, tracer, key, slug)
	if errors.Is(err, compare.ErrBadKey) {
		return nil, misusef("KEY: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return tracer.Trace(ctx, found, full)
}

// find looks for the row, as a reader of the business where one is named.
func (p *portal) find(ctx context.Context, tracer *compare.Tracer, key compare.Key, slug string) (*compare.Found, error) {
	if slug == "" {
		return tracer.Find(ctx, p.pool, key)
	}
	business, err := businessNamed(ctx, p, slug)
	if err != nil {
		return nil, err
	}
	tx, err := p.readers.Begin(ctx, business)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(ctx)
	return tracer.Find(ctx, tx, key)
}

func showProvenance(out io.Writer, p *compare.Provenance) {
	w := newTextWriter(out)
	fmt.Fprintf(out, "%s, a row of %s version %d, business %s\n", p.Table, p.Projection, p.Version, printable(p.Business))
	for _, name := range slices.Sorted(maps.Keys(p.Row)) {
		fmt.Fprintf(out, "  %s  %s\n", printable(name), valueText(p.Row[name]))
	}
	fmt.Fprintln(out, w.colour("1", "changed last by"))
	if p.Last == nil {
		fmt.Fprintln(out, "    an event that the log does not have any more")
	} else {
		w.named(p.Last)
		fmt.Fprintf(out, "    event %s, command %s (%s), correlation %s, causation %s\n", p.Last.ID, p.Last.CommandID,
			printable(p.Last.Operation), p.Last.CorrelationID, p.Last.CausationID)
	}
	if p.Chain == nil {
		return
	}
	fmt.Fprintf(out, "%s, of %d looked at (%s)\n", w.colour("1", "made by"), p.Chain.Candidates, p.Chain.Scope)
	for i := range p.Chain.Events {
		w.named(&p.Chain.Events[i])
	}
	if !p.Chain.Complete {
		fmt.Fprintf(out, "    not complete: %s\n", printable(p.Chain.Why))
	}
}
