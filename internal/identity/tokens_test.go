package identity_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/internal/api"
	"portal.example/internal/database"
	"portal.example/internal/identity"
	"portal.example/internal/postgres"
)

const (
	business = "11111111-1111-4111-8111-111111111111"
	customer = "22222222-2222-4222-8222-222222222222"
	contact  = "33333333-3333-4333-8333-333333333333"
)

// clock is a time that passes when told to.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func tokens(t *testing.T) (*identity.Tokens, *pgxpool.Pool, *clock) {
	t.Helper()
	url := postgres.ForTestWithTemplate(t, "identity", func(url string) error {
		return database.Migrate(context.Background(), url)
	})
	pool, err := database.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c := &clock{time.Date(2026, 3, 14, 20, 42, 0, 0, time.UTC)}
	all, err := identity.NewTokens(pool, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return all, pool, c
}

func create(t *testing.T, all *identity.Tokens, k identity.Key) (token, id string) {
	t.Helper()
	token, id, err := all.Create(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return token, id
}

func TestATokenSaysWhoItIs(t *testing.T) {
	t.Parallel()
	all, _, _ := tokens(t)
	staff, id := create(t, all, identity.Key{Business: business, Role: api.Office})
	p, err := all.Authenticate(t.Context(), staff)
	if err != nil || p.Business != business || p.Kind != api.KindStaff || p.Role != api.Office || p.SessionID != id || p.ActorID != id {
		t.Errorf("staff: %+v, %v", p, err)
	}
	dana, _ := create(t, all, identity.Key{Business: business, Role: api.Customer, CustomerID: customer, ContactID: contact})
	p, err = all.Authenticate(t.Context(), dana)
	if err != nil || !p.IsCustomer() || p.CustomerID != customer || p.ContactID != contact || p.ActorID != contact {
		t.Errorf("customer: %+v, %v", p, err)
	}
	for _, wrong := range []string{"", "pk_", staff[3:], staff + "x", strings.ToUpper(staff), staff[:len(staff)-1]} {
		if _, err := all.Authenticate(t.Context(), wrong); !errors.Is(err, api.ErrUnknownToken) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestKeysThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	all, _, _ := tokens(t)
	for _, k := range []identity.Key{
		{Business: "acme", Role: api.Owner},
		{Business: business, Role: "king"},
		{Business: business, Role: api.Customer},
		{Business: business, Role: api.Customer, CustomerID: customer},
		{Business: business, Role: api.Owner, CustomerID: customer},
	} {
		if token, _, err := all.Create(t.Context(), k); err == nil || token != "" {
			t.Errorf("%+v: made", k)
		}
	}
}

func TestTheDatabaseDoesNotHoldTheToken(t *testing.T) {
	t.Parallel()
	all, pool, _ := tokens(t)
	token, _ := create(t, all, identity.Key{Business: business, Role: api.Owner})
	var row []byte
	if err := pool.QueryRow(t.Context(), `SELECT convert_to(k::text, 'UTF8') FROM identity.api_keys k`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if len(row) == 0 || bytes.Contains(row, []byte(token[3:])) {
		t.Errorf("row %s", row)
	}
}

func TestARevokedKeyIsNoGoodAnyMore(t *testing.T) {
	t.Parallel()
	all, pool, c := tokens(t)
	other, err := identity.NewTokens(pool, c.now) // another instance
	if err != nil {
		t.Fatal(err)
	}
	token, id := create(t, all, identity.Key{Business: business, Role: api.Owner})
	good := func(at *identity.Tokens) bool {
		_, err := at.Authenticate(t.Context(), token)
		if err != nil && !errors.Is(err, api.ErrUnknownToken) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !good(all) || !good(other) {
		t.Fatal("not good at first")
	}
	if err := all.Revoke(t.Context(), customer, id); !errors.Is(err, identity.ErrNoKey) {
		t.Errorf("another business revoked it: %v", err)
	}
	for range 2 {
		if err := all.Revoke(t.Context(), business, id); err != nil {
			t.Fatal(err)
		}
	}
	if good(all) {
		t.Error("still good where it was revoked")
	}
	c.at = c.at.Add(6 * time.Second)
	if good(other) {
		t.Error("still good elsewhere after six seconds")
	}
}

func TestAKeyExpires(t *testing.T) {
	t.Parallel()
	all, _, c := tokens(t)
	token, _ := create(t, all, identity.Key{Business: business, Role: api.Owner, ExpiresAt: c.at.Add(time.Second)})
	if _, err := all.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(time.Second)
	if _, err := all.Authenticate(t.Context(), token); !errors.Is(err, api.ErrUnknownToken) {
		t.Errorf("after it expired: %v", err)
	}
}
