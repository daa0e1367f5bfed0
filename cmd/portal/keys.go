package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"portal.example/commands"
	"portal.example/commands/businesses"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/internal/api"
	"portal.example/internal/identity"
)

// keysCommand is about API keys.
func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make and revoke API keys",
		Long:  "Makes and revokes API keys, beside a running portal or without one." + exitHelp,
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return misusef("keys: name a subcommand, such as create") },
	}
	cmd.AddCommand(keysCreate(), keysRevoke())
	return cmd
}

func keysCreate() *cobra.Command {
	var slug, role string
	var key identity.Key
	var lifetime time.Duration
	var asJSON bool
	roles := make([]string, len(api.Roles))
	for i, r := range api.Roles {
		roles[i] = string(r)
	}
	cmd := &cobra.Command{
		Use:   "create --business S --role ROLE",
		Short: "Make an API key and print its bearer token",
		Long: `Makes an API key that is good for one business and one role, and prints its
bearer token and nothing else. The token is not stored and cannot be shown
again. Roles: ` + strings.Join(roles, ", ") + `.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key.Role = api.Role(role)
			if lifetime > 0 {
				key.ExpiresAt = time.Now().Add(lifetime)
			}
			return withBusiness(cmd, slug, func(p *portal, business string) error {
				key.Business = business
				if err := contactExists(cmd.Context(), p, key); err != nil {
					return err
				}
				token, id, err := p.tokens.Create(cmd.Context(), key)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"token": token, "id": id})
				}
				fmt.Fprintln(cmd.OutOrStdout(), token)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&slug, "business", "", "slug or id of the business")
	cmd.Flags().StringVar(&role, "role", "", strings.Join(roles, ", "))
	cmd.Flags().StringVar(&key.CustomerID, "customer", "", "id of the customer, for the role customer")
	cmd.Flags().StringVar(&key.ContactID, "contact", "", "id of the contact, for the role customer")
	cmd.Flags().StringVar(&key.Name, "name", "", "name for people, to tell keys apart")
	cmd.Flags().DurationVar(&lifetime, "expires-in", 0, "how long it is good, such as 720h; for ever by default")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON with the token and the id by which it can be revoked")
	return cmd
}

// contactExists refuses a key for somebody who is not there.
func contactExists(ctx context.Context, p *portal, key identity.Key) error {
	if key.Role != api.Customer || key.CustomerID == "" {
		return nil // the key itself is checked when it is made
	}
	state, err := commands.Look(ctx, p.room.Customers, customer.Stream(key.CustomerID))
	if err != nil {
		return err
	}
	if _, known := state.Contacts[key.ContactID]; state.BusinessID != key.Business || !known {
		return errors.New("the business has no customer with this contact")
	}
	return nil
}

func keysRevoke() *cobra.Command {
	var slug, id string
	cmd := &cobra.Command{
		Use:   "revoke --business S --id ID",
		Short: "Revoke an API key",
		Long:  "Revokes an API key. A running portal goes on accepting it for a few seconds at most." + exitHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if id == "" {
				return misusef("--id: missing")
			}
			return withBusiness(cmd, slug, func(p *portal, business string) error {
				return p.tokens.Revoke(cmd.Context(), business, id)
			})
		},
	}
	cmd.Flags().StringVar(&slug, "business", "", "slug or id of the business")
	cmd.Flags().StringVar(&id, "id", "", "id of the key")
	return cmd
}

// withBusiness opens the portal for something about one business.
func withBusiness(cmd *cobra.Command, slug string, do func(p *portal, business string) error) error {
	if slug == "" {
		return misusef("--business: missing")
	}
	return withPortal(cmd, func(ctx context.Context, p *portal) error {
		business, err := businessNamed(ctx, p, slug)
		if err == nil {
			err = do(p, business)
		}
		return misused(err)
	})
}

// misused makes a wrong usage of values that the domain does not accept, with
// each of them in the one line.
func misused(err error) error {
	var refusal *domain.Error
	if !errors.As(err, &refusal) || refusal.Kind != domain.Invalid {
		return err
	}
	var faults []string
	for _, problem := range refusal.Problems() {
		faults = append(faults, problem.Error())
	}
	return misusef("%s", strings.Join(faults, "; "))
}

// businessNamed takes an id as well as a slug.
func businessNamed(ctx context.Context, p *portal, slug string) (string, error) {
	if id, err := uuid.Parse(slug); err == nil && id.String() == slug {
		return slug, nil
	}
	return businesses.Resolve(ctx, p.room.Store, slug)
}
