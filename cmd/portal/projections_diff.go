package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/internal/database"
	readmodels "portal.example/projections"
	"portal.example/projections/compare"
	"portal.example/projections/runner"
)

// comparison is what is to be compared, and how it is shown.
type comparison struct {
	compare.Options
	from, to                  string
	slug                      string
	explain, exitCode, asJSON bool
}

func projectionsDiff() *cobra.Command {
	c := comparison{}
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Tell how two builds of a read model differ, row by row",
		Long: `Compares two builds of a read model: the live one and the newest that is being
filled, unless --from and --to say otherwise. It counts the rows that are only in
one of them and those that differ, by column, and shows some of each.

Where one build is behind, it is waited for (--wait); after that, rows that were
changed since are counted as "not yet" and not compared. Columns that only one
version has are told apart.

With --explain, it looks in the log for the events behind each example: those
without which both versions come to the same row. That takes the code of both; where
this program has that of one version only, it may not be able to tell.

Texts that may be personal are withheld, unless --personal asks for them.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration; with --exit-code, 3
where there is a difference.`,
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.Examples < 0 || c.Examples > compare.MaxExamples {
				return misusef("--examples: must be from 0 to %d", compare.MaxExamples)
			}
			if c.Wait < 0 || c.Timeout <= 0 {
				return misusef("--wait, --timeout: must not be negative")
			}
			report, err := c.run(cmd, args[0])
			if err != nil {
				return err
			}
			if err := c.show(cmd.OutOrStdout(), report); err != nil {
				return err
			}
			if c.exitCode && report.Different {
				return errDifferent
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&c.from, "from", "live", "the older build: live, building, retired, its number or its schema")
	cmd.Flags().StringVar(&c.to, "to", "building", "the newer build, named likewise")
	cmd.Flags().StringVar(&c.slug, "business", "", "only rows of this business, by slug or id")
	cmd.Flags().StringArrayVar(&c.Tables, "table", nil, "only this table; can be repeated")
	cmd.Flags().IntVar(&c.Examples, "examples", 3, "how many rows to show of each kind of difference and table")
	cmd.Flags().BoolVar(&c.Positions, "positions", false, "a row that says the same by another event is a difference")
	cmd.Flags().BoolVar(&c.explain, "explain", false, "look for the events behind each example")
	cmd.Flags().BoolVar(&c.Personal, "personal", false, "show texts that may be personal")
	cmd.Flags().DurationVar(&c.Wait, "wait", 10*time.Second, "how long to wait for both builds to be at the same place in the log")
	cmd.Flags().DurationVar(&c.Timeout, "timeout", 10*time.Minute, "how long a table may take")
	cmd.Flags().BoolVar(&c.exitCode, "exit-code", false, "exit with status 3 where there is a difference")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print JSON for programs")
	return cmd
}

// errDifferent ends the program with a status of its own and no message.
var errDifferent = errors.New("there is a difference")

func (c *comparison) run(cmd *cobra.Command, name string) (*compare.Report, error) {
	cfg, err := readConfig()
	if err != nil {
		return nil, err
	}
	if !c.explain {
		pool, err := database.Open(cmd.Context(), cfg.database)
		if err != nil {
			return nil, fmt.Errorf("DATABASE_URL: %w", err)
		}
		defer pool.Close()
		return c.diff(cmd.Context(), pool, name)
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := openPortal(cmd.Context(), cfg, logger)
	if err != nil {
		return nil, err
	}
	report, err := c.diff(cmd.Context(), p.pool, name)
	if err == nil {
		x := compare.Explainer{
			Pool: p.pool, Log: p.log, Codec: p.codec, Disclosed: readmodels.Disclosed, Personal: c.Personal,
		}
		err = c.explainBy(cmd.Context(), x, report, name)
	}
	return report, errors.Join(err, p.close())
}

func (c *comparison) explainBy(ctx context.Context, x compare.Explainer, report *compare.Report, name string) error {
	known := known(x.Pool)
	was, err := known.Code(ctx, name, report.Old.Version)
	if err != nil {
		return err
	}
	is, err := known.Code(ctx, name, report.New.Version)
	if err != nil {
		return err
	}
	return x.Explain(ctx, report, was, is)
}

func (c *comparison) diff(ctx context.Context, pool *pgxpool.Pool, name string) (*compare.Report, error) {
	builds, err := compare.Builds(ctx, pool, name)
	if err != nil {
		return nil, err
	}
	if len(builds) == 0 {
		return nil, misusef("there is no build of a projection %.60q; list names the projections", name)
	}
	was, err := compare.Choose(builds, c.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	is, err := compare.Choose(builds, c.to)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	if c.Business, err = businessOfRows(ctx, pool, c.slug); err != nil {
		return nil, err
	}
	for _, b := range []compare.Build{was, is} {
		if err := c.within(b); err != nil {
			return nil, err
		}
	}
	open := false
	// Of events without personal fields nothing personal is made.
	code := known(pool).Code
	for _, b := range []compare.Build{was, is} {
		if p, err := code(ctx, name, b.Version); err != nil {
			return nil, err
		} else if _, sealed := p.(runner.Sealed); !sealed {
			open = true
		}
	}
	c.Personal = c.Personal || !open
	c.Disclosed = readmodels.Disclosed
	return compare.Diff(ctx, pool, was.Schema, is.Schema, c.Options)
}

// within keeps the comparison to what a build of a part of the log can have. Rows
// of single streams or of a span of time cannot be told from those that are missing.
func (c *comparison) within(b compare.Build) error {
	switch s := b.Scope; {
	case s == nil:
		return nil
	case s.Business == "" || len(s.Streams) > 0 || !s.Since.IsZero() || !s.Until.IsZero():
		return fmt.Errorf("build %d is filled from some streams or a span of time only: what it lacks is no difference", b.ID)
	case c.Business != "" && c.Business != s.Business:
		return misusef("--business: build %d is filled from another business only", b.ID)
	default:
		c.Business = s.Business
		return nil
	}
}

// businessOfRows is the id of a business by its slug or id, as the read model of
// businesses knows it, which needs no log. An empty one stays empty.
func businessOfRows(ctx context.Context, pool *pgxpool.Pool, slug string) (id string, err error) {
	if slug == "" {
		return "", nil
	}
	err = pool.QueryRow(ctx, `SELECT business_id FROM read.businesses WHERE slug = $1 OR business_id = $1`, slug).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", misusef("--business: there is no business %.60q", slug)
	}
	return id, err
}
