package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"portal.example/commands"
	"portal.example/domain/money"
	"portal.example/eventstore"
	"portal.example/internal/database"
	"portal.example/projections/whatif"
)

func projectionsWhatIf() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "whatif",
		Short: "Replay history under another rule, and see who differs",
		Long: `Replays the history of a business's invoices under another rule, and tells who would
have owed more or less. Nothing is recorded and nobody is told.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misusef("%s: name a rule, such as late-fee", cmd.CommandPath())
		},
	}
	for _, policy := range whatif.Policies() {
		cmd.AddCommand(whatIf(policy))
	}
	return cmd
}

// whatIfOptions are the flags that all rules have.
type whatIfOptions struct {
	business, currency string
	limit              int
	json               bool
}

const mostItems = 10_000

func whatIf(policy whatif.Policy) *cobra.Command {
	var o whatIfOptions
	cmd := &cobra.Command{
		Use:   policy.Name() + " --business SLUG",
		Short: policy.Short(),
		Long: policy.Short() + ".\n\n" + policy.Long() + `

The invoices are those of one currency that the read model knows; each one's events
are read from the log. It is told how many differ, the totals, and of the customers
and invoices that differ most as many as --limit says. Amounts are minor units in
JSON: {"items":[…],"customers":[…],"totals":{…},…}.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.business == "" {
				return misusef("--business: name a business")
			}
			if o.limit < 0 || o.limit > mostItems {
				return misusef("--limit: must be from 0 to %d", mostItems)
			}
			if err := policy.Check(); err != nil {
				return misusef("%w", err)
			}
			return withRunner(cmd, func(w *replayWatch) error {
				return withLog(cmd, func(ctx context.Context, client *eventstore.Client) error {
					return o.run(ctx, w, client, policy)
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.business, "business", "", "slug or id of the business")
	flags.StringVar(&o.currency, "currency", "", "of the invoices; the business's by default")
	flags.IntVar(&o.limit, "limit", 20, "how many invoices and customers are named")
	flags.BoolVar(&o.json, "json", false, "print JSON for programs")
	own := flag.NewFlagSet(policy.Name(), flag.ContinueOnError)
	policy.Flags(own)
	flags.AddGoFlagSet(own)
	return cmd
}

func (o *whatIfOptions) run(ctx context.Context, w *replayWatch, client *eventstore.Client, policy whatif.Policy) error {
	b, err := businessOf(w, o.business)
	if err != nil {
		return err
	}
	if o.currency != "" {
		b.currency = o.currency
	}
	if !money.Currency(b.currency).Known() {
		return misusef("--currency: %w", money.ErrUnknownCurrency)
	}
	codec, err := eventstore.NewCodec(nil, commands.EventTypes()...) // nothing personal is read
	if err != nil {
		return err
	}
	readers, err := database.NewReaders(ctx, w.pool)
	if err != nil {
		return err
	}
	defer readers.Close()
	told := w.cmd.ErrOrStderr()
	bar := progressbar.DefaultSilent(-1)
	if isTerminal(told) {
		bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(told), progressbar.OptionSetDescription("invoices"),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	report, err := whatif.Ask(ctx, whatif.Question{
		Readers: readers, Client: client, Codec: codec,
		Business: b.id, Currency: money.Currency(b.currency), Zone: b.zone, Until: time.Now(), Limit: o.limit,
		Progress: func(invoices int) { _ = bar.Set(invoices) }, // it can only fail to be drawn
	}, policy)
	if err = errors.Join(err, bar.Finish()); err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(w.cmd.OutOrStdout()).Encode(report)
	}
	return printWhatIf(w.cmd.OutOrStdout(), report)
}

func printWhatIf(out io.Writer, r *whatif.Report) error {
	text := func(amount int64) string { return money.Money{Amount: amount, Currency: r.Currency}.Decimal() }
	figures := func(f whatif.Figures) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", text(f.LateFees.Actual), text(f.LateFees.Rule), text(f.LateFees.Difference),
			text(f.Outstanding.Actual), text(f.Outstanding.Rule))
	}
	fmt.Fprintf(out, "%d of %d invoices in %s differ, of %d customers; %d in other currencies are left out\n\n",
		r.Differ, r.Invoices, r.Currency, r.Customers, r.LeftOut)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := "fees\tby the rule\tdifference\toutstanding\tby the rule\t"
	fmt.Fprintf(table, "\t\t%s\n\tall\t%s\t\n", head, figures(r.Totals))
	for _, c := range r.ByCustomer {
		fmt.Fprintf(table, "customer\t%s\t%s\t\n", c.CustomerID, figures(c.Figures))
	}
	for _, i := range r.Items {
		name := i.InvoiceID
		if i.Number > 0 {
			name = fmt.Sprint(i.Number)
		}
		fmt.Fprintf(table, "invoice\t%s\t%s\t\n", name, figures(i.Figures))
	}
	return table.Flush()
}
