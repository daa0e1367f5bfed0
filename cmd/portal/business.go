package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"portal.example/commands/businesses"
	"portal.example/domain"
	"portal.example/domain/money"
	"portal.example/eventstore"
)

// businessCommand is about the businesses that use the portal.
func businessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "business",
		Short: "Register a business",
		Long:  "Registers businesses, beside a running portal or without one." + exitHelp,
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return misusef("business: name a subcommand, such as create") },
	}
	cmd.AddCommand(businessCreate())
	return cmd
}

func businessCreate() *cobra.Command {
	var slug, name, currency, timeZone, language string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create --slug S --name N --currency EUR --timezone Europe/Rome",
		Short: "Register a business, with its portal on",
		Long: `Registers a business and prints its id. It returns once the slug leads to the
business. A slug that is taken is refused.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, value := range map[string]string{"slug": slug, "name": name, "currency": currency, "timezone": timeZone} {
				if value == "" {
					return misusef("--%s: missing", flag)
				}
			}
			zone, err := time.LoadLocation(timeZone)
			if err != nil {
				return misusef("--timezone: %w", err)
			}
			r := businesses.Registration{
				Slug: slug, Name: name, Currency: money.Currency(currency), TimeZone: zone, Language: language,
			}
			if err := r.Check(); err != nil {
				return misused(err)
			}
			id, err := register(cmd, r)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"id": id, "slug": slug})
			}
			fmt.Fprintln(cmd.OutOrStdout(), id)
			return nil
		},
	}
	cmd.Flags().StringVar(&slug, "slug", "", "name in addresses: /portal/SLUG")
	cmd.Flags().StringVar(&name, "name", "", "name for people")
	cmd.Flags().StringVar(&currency, "currency", "", "ISO 4217 code of its documents' currency")
	cmd.Flags().StringVar(&timeZone, "timezone", "", "IANA name, such as Europe/Rome")
	cmd.Flags().StringVar(&language, "language", domain.English, "en or ja")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// register needs the log alone: nothing in a business's events is personal.
func register(cmd *cobra.Command, r businesses.Registration) (id string, err error) {
	if err := makeDataFolder(dataFolder()); err != nil {
		return "", err
	}
	err = withLog(cmd, func(ctx context.Context, client *eventstore.Client) error {
		room, err := roomOn(client)
		if err == nil {
			id, err = businesses.Register(ctx, room, r)
		}
		return err
	})
	return id, err
}

// makeDataFolder makes the folder for whoever comes first; the log and the
// master key in it are nobody else's business.
func makeDataFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the operator says where
		return misusef("PORTAL_DATA: %w", err)
	}
	return nil
}
