package keys

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

// rewrapAtOnce is how many rows one transaction of Rewrap changes.
const rewrapAtOnce = 500

// Rewrap wraps every key under the current master key, after which no key needs
// the older ones. Keep the oldest at the end of the list all the same: requests
// are recognised by a secret derived from it (Master.Derive), and without it a
// repeat of an earlier request is refused as another one. It may run beside
// everything else, be interrupted and run again. It returns how many keys it
// wrapped anew.
func (s *Store) Rewrap(ctx context.Context) (int, error) {
	total := 0
	for after := (eventstore.Subject{}); ; {
		batch, err := s.wrappedByOthers(ctx, after)
		if err == nil && len(batch) == 0 {
			return total, nil
		}
		if err == nil {
			err = s.rewrap(ctx, batch)
		}
		if err != nil {
			return total, fmt.Errorf("keys: rewrapping after %d: %w", total, err)
		}
		total, after = total+len(batch), batch[len(batch)-1].subject
	}
}

type wrappedKey struct {
	subject  eventstore.Subject
	masterID string
	wrapped  []byte
}

func (s *Store) wrappedByOthers(ctx context.Context, after eventstore.Subject) ([]wrappedKey, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT business_id, subject, master_id, wrapped FROM keys.subjects
		WHERE master_id <> $1 AND (business_id, subject) > ($2, $3)
		ORDER BY business_id, subject LIMIT $4`,
		s.master.current().id, after.Business, after.ID, rewrapAtOnce)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k wrappedKey, err error) {
		err = row.Scan(&k.subject.Business, &k.subject.ID, &k.masterID, &k.wrapped)
		return k, err
	})
}

func (s *Store) rewrap(ctx context.Context, batch []wrappedKey) error {
	subjects := make([]eventstore.Subject, len(batch))
	before, after := make([][]byte, len(batch)), make([][]byte, len(batch))
	for i, k := range batch {
		secret, err := s.master.unwrap(k.subject, k.masterID, k.wrapped)
		if err != nil {
			return err
		}
		subjects[i], before[i] = k.subject, k.wrapped
		if after[i], err = s.master.wrap(k.subject, secret); err != nil {
			return err
		}
	}
	businesses, ids := columns(subjects)
	// Comparing with what was read keeps a key that has been destroyed since
	// from coming back.
	_, err := s.pool.Exec(ctx, `
		UPDATE keys.subjects k SET wrapped = w.after, master_id = $1
		FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bytea[]) AS w (business_id, subject, before, after)
		WHERE k.business_id = w.business_id AND k.subject = w.subject AND k.wrapped = w.before`,
		s.master.current().id, businesses, ids, before, after)
	return err
}
