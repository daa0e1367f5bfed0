// Package identity knows who somebody is: so far, whose an API key is. Its
// secrets live in schema identity of Postgres, never in the log.
package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/domain"
	"portal.example/internal/api"
)

const (
	prefix = "pk_" // tells a key from other secrets, in a leaked file for one

	// maxAge bounds how long an instance goes on accepting a key that another
	// instance has revoked.
	maxAge    = 5 * time.Second
	maxCached = 10_000
)

// Tokens are the bearer tokens of API keys. Of a token only its SHA-256 is
// stored: it is 256 random bits, which nobody finds by trying.
type Tokens struct {
	pool  *pgxpool.Pool
	now   func() time.Time
	cache *lru.Cache[digest, known]
}

type digest [sha256.Size]byte

type known struct {
	principal api.Principal
	until     time.Time
}

// NewTokens makes an api.Authenticator on a migrated database.
func NewTokens(pool *pgxpool.Pool, now func() time.Time) (*Tokens, error) {
	cache, err := lru.New[digest, known](maxCached)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return &Tokens{pool: pool, now: now, cache: cache}, nil
}

// Key is what a new API key is good for.
type Key struct {
	Business   string // id
	Role       api.Role
	Name       string // for people, to tell keys apart
	CustomerID string // for the role customer, as is ContactID
	ContactID  string
	ExpiresAt  time.Time // zero: never
}

func (k Key) check() error {
	var check domain.Check
	check.ID("business", k.Business)
	domain.OneOf(&check, "role", k.Role, api.Roles...)
	check.OptionalLine("name", k.Name, domain.MaxName)
	if k.Role == api.Customer {
		check.ID("customer", k.CustomerID)
		check.ID("contact", k.ContactID)
	} else if k.CustomerID != "" || k.ContactID != "" {
		check.Fail("customer", "not_for_role", "is for the role customer only")
	}
	return check.Err()
}

// Create makes a key and returns its token, which is not to be had again, and
// the id by which it can be revoked.
func (t *Tokens) Create(ctx context.Context, k Key) (token, id string, err error) {
	if err := k.check(); err != nil {
		return "", "", err
	}
	var secret [32]byte
	rand.Read(secret[:])
	token = prefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := digestOf(token)
	id = uuid.NewString()
	_, err = t.pool.Exec(ctx, `
		INSERT INTO identity.api_keys
			(id, business_id, token_hash, kind, role, name, actor_id, customer_id, contact_id, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		id, k.Business, sum[:], k.Role.Kind(), k.Role, k.Name, cmp.Or(k.ContactID, id),
		orNull(k.CustomerID), orNull(k.ContactID), t.now(), expiry(k.ExpiresAt))
	if err != nil {
		return "", "", fmt.Errorf("identity: creating a key: %w", err)
	}
	return token, id, nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func expiry(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// Authenticate implements api.Authenticator.
func (t *Tokens) Authenticate(ctx context.Context, token string) (api.Principal, error) {
	if !strings.HasPrefix(token, prefix) || len(token) > 100 {
		return api.Principal{}, api.ErrUnknownToken
	}
	sum, now := digestOf(token), t.now()
	if k, cached := t.cache.Get(sum); cached && now.Before(k.until) {
		return k.principal, nil
	}
	principal, expires, err := t.find(ctx, sum)
	if err != nil {
		t.cache.Remove(sum)
		return api.Principal{}, err
	}
	until := now.Add(maxAge)
	if expires != nil && expires.Before(until) {
		until = *expires
	}
	if !now.Before(until) {
		return api.Principal{}, api.ErrUnknownToken
	}
	t.cache.Add(sum, known{principal, until})
	return principal, nil
}

// find looks the digest up. Comparing digests in an index tells a listener to
// the clock nothing that leads to a token; comparing them here in constant time
// keeps it so whatever the index does.
func (t *Tokens) find(ctx context.Context, sum digest) (p api.Principal, expires *time.Time, err error) {
	var stored []byte
	err = t.pool.QueryRow(ctx, `
		SELECT token_hash, business_id, kind, role, actor_id, coalesce(customer_id, ''), coalesce(contact_id, ''),
			id::text, created_at, expires_at
		FROM identity.api_keys
		WHERE token_hash = $1 AND revoked_at IS NULL`, sum[:]).
		Scan(&stored, &p.Business, &p.Kind, &p.Role, &p.ActorID, &p.CustomerID, &p.ContactID,
			&p.SessionID, &p.SignedInAt, &expires)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return api.Principal{}, nil, api.ErrUnknownToken
	case err != nil:
		return api.Principal{}, nil, fmt.Errorf("identity: looking a key up: %w", err)
	case subtle.ConstantTimeCompare(stored, sum[:]) != 1 || !slices.Contains(api.Roles, p.Role):
		return api.Principal{}, nil, api.ErrUnknownToken
	}
	p.SignedInBy = "api-key"
	return p, expires, nil
}

// ErrNoKey refuses to revoke what is not there.
var ErrNoKey = &domain.Error{Kind: domain.NotFound, Code: "key_not_found", Message: "the business has no such key"}

// Revoke ends a key: here at once, in other instances within seconds. Revoking
// it again changes nothing.
func (t *Tokens) Revoke(ctx context.Context, business, id string) error {
	var sum []byte
	err := t.pool.QueryRow(ctx, `
		UPDATE identity.api_keys SET revoked_at = coalesce(revoked_at, $3)
		WHERE business_id = $1 AND id::text = $2
		RETURNING token_hash`, business, id, t.now()).Scan(&sum)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNoKey
	case err != nil:
		return fmt.Errorf("identity: revoking a key: %w", err)
	}
	t.cache.Remove(digest(sum))
	return nil
}
