// Package keys holds the keys of the people whose personal data is in the log:
// one a person and business, in Postgres, wrapped under a master key that is
// not. Destroying a key erases the person, everywhere and for good.
package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
)

// Store is an eventstore.Keyring in Postgres. It may be used by several
// goroutines, and instances, at once.
type Store struct {
	pool   *pgxpool.Pool
	master *Master
	cache  *cache
}

var _ eventstore.Keyring = (*Store)(nil)

// Open makes a store on a migrated database. It fails where the database holds
// keys that no master key on the list unwraps, because events written from then
// on would be the only ones that can be read.
func Open(ctx context.Context, pool *pgxpool.Pool, master *Master) (*Store, error) {
	cache, err := newCache(maxCached, maxAge, time.Now)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	s := &Store{pool: pool, master: master, cache: cache}
	return s, s.check(ctx)
}

func (s *Store) check(ctx context.Context) error {
	var masterID string
	err := s.pool.QueryRow(ctx,
		`SELECT master_id FROM keys.subjects WHERE master_id <> ALL ($1) LIMIT 1`, s.master.ids()).Scan(&masterID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("keys: %w", err)
	default:
		return fmt.Errorf("keys: the database holds keys wrapped under master key %s; here is only %v", masterID, s.master)
	}
}

// Lookup implements eventstore.Keyring with one query at most.
func (s *Store) Lookup(ctx context.Context, subjects []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	keys, rest := s.cache.get(subjects)
	if err := s.load(ctx, rest, keys); err != nil {
		return nil, fmt.Errorf("keys: looking up %d: %w", len(rest), err)
	}
	return keys, nil
}

// Obtain implements eventstore.Keyring, with one query at most for keys that
// exist and three statements more for any number that do not.
func (s *Store) Obtain(ctx context.Context, subjects []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	keys, err := s.Lookup(ctx, subjects)
	if err != nil {
		return nil, err
	}
	var without []eventstore.Subject
	for _, subject := range subjects {
		if _, known := keys[subject]; !known {
			without = append(without, subject)
		}
	}
	if len(without) > 0 {
		if err := s.create(ctx, without); err != nil {
			return nil, fmt.Errorf("keys: making %d: %w", len(without), err)
		}
		// Somebody else may have made, or destroyed, one of them just before.
		if err := s.load(ctx, without, keys); err != nil {
			return nil, fmt.Errorf("keys: making %d: %w", len(without), err)
		}
	}
	for _, subject := range subjects {
		if keys[subject] == nil {
			return nil, fmt.Errorf("keys: subject %q: %w", subject.ID, eventstore.ErrErased)
		}
	}
	return keys, nil
}

// Destroy erases a subject, whether or not there is a key yet, and tells since
// when it has been erased. Other instances forget the key within seconds.
func (s *Store) Destroy(ctx context.Context, subject eventstore.Subject) (time.Time, error) {
	at, err := s.destroy(ctx, subject)
	if err != nil {
		return time.Time{}, fmt.Errorf("keys: destroying the key of %q: %w", subject.ID, err)
	}
	s.cache.put(map[eventstore.Subject]eventstore.Key{subject: nil}, at)
	return at, nil
}
