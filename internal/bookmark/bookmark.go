// Package bookmark keeps, in Postgres, how far somebody who follows the log has
// come, so that the next start reads what is new.
package bookmark

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
)

// Place is an event: where it is in the log, and which one it is. The zero value
// is the start of the log.
type Place struct {
	Position eventstore.Position
	EventID  uuid.UUID
	Stream   string
	Revision uint64
}

// At is the place of an event.
func At(e *eventstore.Recorded) Place {
	return Place{Position: e.Position, EventID: e.ID, Stream: e.Stream, Revision: e.Revision}
}

// Bookmark is that of one follower. Several instances of it may share it: each
// moves it to a place that is right by itself, and only forward.
type Bookmark struct {
	Pool     *pgxpool.Pool
	Follower string // its name, which is storage
}

// Find is the place to go on from in this log. It is the start where there is no
// bookmark, and where the log does not have its event: another log, or an older
// backup of this one. Such a bookmark is removed.
func (b *Bookmark) Find(ctx context.Context, log eventstore.Log) (Place, error) {
	var p Place
	err := b.Pool.QueryRow(ctx, `
		SELECT commit_position, prepare_position, event_id, event_stream, event_revision
		FROM jobs.bookmarks WHERE follower = $1`, b.Follower).
		Scan(&p.Position.Commit, &p.Position.Prepare, &p.EventID, &p.Stream, &p.Revision)
	if errors.Is(err, pgx.ErrNoRows) {
		return Place{}, nil
	}
	if err != nil {
		return Place{}, b.fail(err)
	}
	found, err := p.in(ctx, log)
	if err != nil || found {
		return p, b.fail(err)
	}
	_, err = b.Pool.Exec(ctx, `DELETE FROM jobs.bookmarks WHERE follower = $1 AND event_id = $2`, b.Follower, p.EventID)
	return Place{}, b.fail(err)
}

// in tells whether the log has the event at that place. A log that has is, up to
// there, the one that the bookmark was made in: it is only ever added to.
func (p Place) in(ctx context.Context, log eventstore.Log) (bool, error) {
	for e, err := range log.ReadStream(ctx, p.Stream, p.Revision) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			return false, nil
		}
		// Positions are left out: EventStoreDB does not tell them of events that are
		// read from a stream.
		return err == nil && e.ID == p.EventID && e.Revision == p.Revision, err
	}
	return false, nil // the stream ends before
}

// Advance moves the bookmark forward to a place; one that is there already, or
// further, stays.
func (b *Bookmark) Advance(ctx context.Context, p Place) error {
	_, err := b.Pool.Exec(ctx, `
		INSERT INTO jobs.bookmarks AS mark
			(follower, commit_position, prepare_position, event_id, event_stream, event_revision)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (follower) DO UPDATE SET
			commit_position = excluded.commit_position, prepare_position = excluded.prepare_position,
			event_id = excluded.event_id, event_stream = excluded.event_stream, event_revision = excluded.event_revision
		WHERE (mark.commit_position, mark.prepare_position) < (excluded.commit_position, excluded.prepare_position)`,
		b.Follower, p.Position.Commit, p.Position.Prepare, p.EventID, p.Stream, p.Revision)
	return b.fail(err)
}

func (b *Bookmark) fail(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bookmark of %s: %w", b.Follower, err)
}
