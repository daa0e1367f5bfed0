package keys

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"portal.example/eventstore"
)

// load adds to keys those of the subjects that have a row.
func (s *Store) load(ctx context.Context, subjects []eventstore.Subject, keys map[eventstore.Subject]eventstore.Key) error {
	if len(subjects) == 0 {
		return nil
	}
	asked := s.cache.now()
	businesses, ids := columns(subjects)
	rows, err := s.pool.Query(ctx, `
		SELECT k.business_id, k.subject, coalesce(k.master_id, ''), k.wrapped
		FROM unnest($1::text[], $2::text[]) AS w (business_id, subject)
		JOIN keys.subjects k USING (business_id, subject)`, businesses, ids)
	if err != nil {
		return err
	}
	loaded := make(map[eventstore.Subject]eventstore.Key, len(subjects))
	var subject eventstore.Subject
	var masterID string
	var wrapped []byte
	_, err = pgx.ForEachRow(rows, []any{&subject.Business, &subject.ID, &masterID, &wrapped}, func() (err error) {
		loaded[subject], err = s.unwrap(subject, masterID, wrapped)
		return err
	})
	if err != nil {
		return err
	}
	s.cache.put(loaded, asked)
	maps.Copy(keys, loaded)
	return nil
}

// unwrap returns nil for a key that has been destroyed.
func (s *Store) unwrap(subject eventstore.Subject, masterID string, wrapped []byte) (eventstore.Key, error) {
	if wrapped == nil {
		return nil, nil
	}
	secret, err := s.master.unwrap(subject, masterID, wrapped)
	if err != nil {
		return nil, err
	}
	return subtle.NewAESGCM(secret)
}

// create inserts a key for each subject that has no row. It commits durably
// whatever the session's settings are: an event sealed under a key that a crash
// takes back could never be read again.
func (s *Store) create(ctx context.Context, subjects []eventstore.Subject) error {
	subjects = slices.SortedFunc(slices.Values(subjects), compare) // two sessions that insert the same rows must not deadlock
	wrapped := make([][]byte, len(subjects))
	for i, subject := range subjects {
		secret := make([]byte, keySize)
		rand.Read(secret)
		var err error
		if wrapped[i], err = s.master.wrap(subject, secret); err != nil {
			return err
		}
	}
	businesses, ids := columns(subjects)
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO keys.subjects (business_id, subject, master_id, wrapped)
			SELECT business_id, subject, $3, wrapped
			FROM unnest($1::text[], $2::text[], $4::bytea[]) AS w (business_id, subject, wrapped)
			ON CONFLICT DO NOTHING`, businesses, ids, s.master.current().id, wrapped)
		return err
	})
}

// destroy makes a row, if need be, that says there will never be a key.
func (s *Store) destroy(ctx context.Context, subject eventstore.Subject) (at time.Time, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO keys.subjects AS k (business_id, subject, destroyed_at) VALUES ($1, $2, now())
			ON CONFLICT (business_id, subject) DO UPDATE
			SET wrapped = NULL, master_id = NULL, destroyed_at = coalesce(k.destroyed_at, now())
			RETURNING destroyed_at`, subject.Business, subject.ID).Scan(&at)
	})
	return at.UTC(), err
}

func columns(subjects []eventstore.Subject) (businesses, ids []string) {
	businesses, ids = make([]string, len(subjects)), make([]string, len(subjects))
	for i, s := range subjects {
		businesses[i], ids[i] = s.Business, s.ID
	}
	return businesses, ids
}

func compare(a, b eventstore.Subject) int {
	return cmp.Or(cmp.Compare(a.Business, b.Business), cmp.Compare(a.ID, b.ID))
}
