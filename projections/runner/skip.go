package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
)

// Skip is a decision that a version of a projection goes on without an event. It
// holds for all builds of the version, those that are made later too, and for no
// other version: what failed in one may be what the next one mends.
type Skip struct {
	Projection string
	Version    int
	Stream     string
	Business   string
	EventID    uuid.UUID
	EventType  string
	Revision   uint64
	Position   uint64 // commit position
	Error      string // that it was skipped for
	Reason     string
	By         string
	At         time.Time
}

// MaxReason is how many characters the reason of a skip may have.
const MaxReason = 500

var (
	// ErrNotQuarantined says that the stream is not in quarantine, or no longer
	// at that event.
	ErrNotQuarantined = errors.New("the stream is not in quarantine there")

	// ErrSkipped says that the event is about to be skipped already.
	ErrSkipped = errors.New("the event has been skipped already")
)

// SkipEvent has the live version of a projection go on without the event that a
// stream stands at in quarantine, or the version named where it is not 0. What is
// held back is then applied in order, within about a second. The event has to be
// the one named, where it is not nil: the stream may have moved since it was
// looked at. The decision is recorded, and cannot be taken back.
func SkipEvent(ctx context.Context, pool *pgxpool.Pool, projection string, version int, stream string, event uuid.UUID, reason, by string) (s Skip, err error) {
	if n := len([]rune(reason)); n == 0 || n > MaxReason || by == "" {
		return s, fmt.Errorf("runner: skipping takes a reason of 1 to %d characters, and somebody who gives it", MaxReason)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			WITH decided AS (
				INSERT INTO runner.skips
				  (projection, version, stream, business_id, event_id, event_type, event_revision, event_position, error, reason, skipped_by)
				SELECT DISTINCT ON (version) projection, version, stream, business_id, q.event_id, event_type, q.event_revision, event_position, error, $5, $6
				FROM runner.quarantine q JOIN runner.builds ON id = build_id
				WHERE projection = $1 AND stream = $3 AND state <> 'retired'
				  AND CASE WHEN $2::int = 0 THEN state = 'live' ELSE version = $2::int END
				  AND ($4::uuid IS NULL OR q.event_id = $4::uuid)
				ORDER BY version, q.event_revision
				RETURNING *)
			SELECT projection, version, stream, business_id, event_id, event_type, event_revision, event_position, error, reason, skipped_by, skipped_at
			FROM decided`, projection, version, stream, optional(event), reason, by)
		if err != nil {
			return err
		}
		if s, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Skip]); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE runner.quarantine q SET retry = true FROM runner.builds
			WHERE id = build_id AND projection = $1 AND version = $2 AND q.event_id = $3`, s.Projection, s.Version, s.EventID)
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrNotQuarantined
	case isCode(err, "23505"): // unique_violation
		err = ErrSkipped
	}
	if err != nil {
		return s, fmt.Errorf("runner: skipping an event of %s: %w", stream, err)
	}
	return s, nil
}

func optional(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// ListSkips lists the skips of a projection, or of all for an empty name, oldest
// first, at most limit of them.
func ListSkips(ctx context.Context, pool *pgxpool.Pool, projection string, limit int) ([]Skip, error) {
	rows, err := pool.Query(ctx, `
		SELECT projection, version, stream, business_id, event_id, event_type, event_revision, event_position,
		       error, reason, skipped_by, skipped_at
		FROM runner.skips WHERE $1 IN ('', projection) ORDER BY id LIMIT $2`, projection, limit)
	if err != nil {
		return nil, fmt.Errorf("runner: listing skips: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Skip])
	if err != nil {
		return nil, fmt.Errorf("runner: listing skips: %w", err)
	}
	return list, nil
}

// skips are events that a build goes on without.
type skips map[uuid.UUID]bool

func loadSkips(ctx context.Context, db querier, p Projection) (skips, error) {
	rows, err := db.Query(ctx, `SELECT event_id FROM runner.skips WHERE projection = $1 AND version = $2`, p.Name(), p.Version())
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return skipsOf(ids), err
}

func skipsOf(ids []uuid.UUID) skips {
	s := make(skips, len(ids))
	for _, id := range ids {
		s[id] = true
	}
	return s
}

// without are the events that are not skipped.
func (s skips) without(events []eventstore.Decoded) []eventstore.Decoded {
	if len(s) == 0 {
		return events
	}
	return slices.DeleteFunc(slices.Clone(events), func(d eventstore.Decoded) bool { return s[d.Record.ID] })
}
