package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"portal.example/commands/businesses"
	"portal.example/internal/api"
	"portal.example/internal/demo"
	"portal.example/internal/identity"
	"portal.example/internal/importing"
)

const (
	demoSlug = "demo"
	demoSeed = 1

	smallFlag = "small" // hidden: what people try is the whole
)

// demoCommand is `make run`: the portal with all it needs and something to look
// at.
func demoCommand() *cobra.Command {
	var small bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve the portal with a business to try it out",
		Long: `Serves the portal with an invented business that has two years of history, and
prints how to reach it. Where DATABASE_URL is not set, it starts a Postgres of
its own from the binaries on this machine. Ctrl-C stops all that it started; the
next start finds everything again in PORTAL_DATA (.data).` + variablesHelp() + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			size := demo.Full
			if small {
				size = demo.Small
			}
			return runDemo(cmd.Context(), size, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&small, smallFlag, false, "invent little, for tests")
	if err := cmd.Flags().MarkHidden(smallFlag); err != nil {
		panic(err) // there is no such flag
	}
	return cmd
}

func runDemo(ctx context.Context, size demo.Size, out, errs io.Writer) (err error) {
	data := dataFolder()
	if err := makeDataFolder(data); err != nil {
		return err
	}
	if os.Getenv("DATABASE_URL") == "" {
		stop, err := ownPostgres(ctx, data, out)
		if err != nil {
			return err
		}
		defer func() {
			fmt.Fprintln(out, "Stopping Postgres.")
			err = errors.Join(err, stop())
		}()
	}
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Starting the portal and its event log.")
	logger := slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := startServer(ctx, cfg, logger)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving) }()

	shown, err := s.demo(ctx, size, data, out, errs)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(out, "Interrupted. The next start goes on from here.")
		return <-ended
	case err != nil:
		stop()
		return errors.Join(err, <-ended)
	}
	shown.print(out, s.listener.Addr().String())
	return <-ended
}

// demoState is what a demo remembers from one start to the next. The tokens are
// good for nothing but the invented business.
type demoState struct {
	Until    time.Time `json:"until"` // the history's end
	Complete bool      `json:"complete"`
	Staff    string    `json:"staff"`
	Customer string    `json:"customer"`
}

// demo finds the demo business, or makes it; one that was interrupted is made to
// its end.
func (s *server) demo(ctx context.Context, size demo.Size, data string, out, errs io.Writer) (state demoState, err error) {
	path := filepath.Join(data, "demo.json")
	switch text, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		state.Until = s.room.Now().UTC()
	case err != nil:
		return state, err
	default:
		if err := json.Unmarshal(text, &state); err != nil {
			return state, fmt.Errorf("%s: %w", path, err)
		}
	}
	if state.Complete {
		fmt.Fprintln(out, "The demo business is there from an earlier start.")
		return state, nil
	}
	if err := state.save(path); err != nil {
		return state, err
	}
	business, err := s.demoBusiness(ctx)
	if err != nil {
		return state, err
	}
	if err := s.seed(ctx, business, size.New(demoSeed, state.Until), out, errs); err != nil {
		return state, err
	}
	if state.Staff, err = s.demoToken(ctx, identity.Key{Business: business, Role: api.Owner}); err != nil {
		return state, err
	}
	customer := demo.CustomerKey(0)
	if state.Customer, err = s.demoToken(ctx, identity.Key{
		Business: business, Role: api.Customer,
		CustomerID: importing.CustomerID(business, customer), ContactID: importing.ContactID(business, customer),
	}); err != nil {
		return state, err
	}
	state.Complete = true
	return state, state.save(path)
}

func (d demoState) save(path string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	return cmp.Or(err, os.WriteFile(path, text, 0o600))
}

func (s *server) demoBusiness(ctx context.Context) (string, error) {
	id, err := businesses.Resolve(ctx, s.room.Store, demoSlug)
	if !errors.Is(err, businesses.ErrUnknown) {
		return id, err
	}
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		return "", err
	}
	return businesses.Register(ctx, s.room, businesses.Registration{
		Slug: demoSlug, Name: "Example Home Services", Currency: "EUR", TimeZone: zone, Language: "en",
	})
}

func (s *server) demoToken(ctx context.Context, k identity.Key) (string, error) {
	k.Name = "demo"
	token, _, err := s.tokens.Create(ctx, k)
	return token, err
}

// seed brings the invented history in, as an import.
func (s *server) seed(ctx context.Context, business string, history demo.History, out, errs io.Writer) error {
	importer := s.importer(business)
	importer.About = history.About
	for _, file := range []importing.File{history.Invoices, history.Requests, history.Quotes} {
		fmt.Fprintf(out, "Inventing the history of %d %s.\n", len(file.Cases), map[string]string{
			importing.Fines.Name: "invoices", importing.Requests.Name: "requests", importing.Quotes.Name: "quotes",
		}[file.Format.Name])
		bar := progressBar(errs, file.Rows)
		importer.Progress = func() { _ = bar.Add(1) } // it can only fail to be drawn
		_, refusals, err := importer.Run(ctx, file)
		_ = bar.Exit()
		if err != nil {
			return err
		}
		for _, r := range refusals {
			return fmt.Errorf("the demo's own row %v was refused: %w", r.Row.Fields, r.Reason)
		}
	}
	fmt.Fprintln(out, "Waiting until the read models have it.")
	head, err := s.log.Head(ctx)
	if err != nil {
		return err
	}
	for _, p := range projections() {
		if err := s.runner.WaitFor(ctx, p.Name(), head); err != nil {
			return err
		}
	}
	return nil
}

func (d demoState) print(out io.Writer, address string) {
	fmt.Fprintf(out, `
The portal is at http://%[1]s, its API explained at http://%[1]s/api/docs.

Staff token:     %[2]s
Customer token:  %[3]s

  curl -H "Authorization: Bearer %[2]s" http://%[1]s/api/v1/dashboards/money
  curl -H "Authorization: Bearer %[2]s" "http://%[1]s/api/v1/invoices?limit=3"
  curl -H "Authorization: Bearer %[3]s" http://%[1]s/api/v1/timeline

Ctrl-C stops it.
`, address, d.Staff, d.Customer)
}
