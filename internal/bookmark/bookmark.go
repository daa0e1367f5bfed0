// Package bookmark keeps, in Postgres, how far somebody who follows the log has
// come, so that the next start reads what is new.
package bookmark

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/eventstore"
)

// ErrMoved says that a bookmark is not where its follower left it: another
// instance follows the log in its name.
var ErrMoved = errors.New("the bookmark was moved by another instance")

// DB is a pool or a connection.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Bookmark is that of one follower.
//
// Where several instances share it and each moves it to a place that is right by
// itself, they Find and Advance it. Where one of them is to follow at a time, that
// one Loads it, Begins it, and Moves it from where it left it.
type Bookmark struct {
	DB       DB
	Follower string // its name, which is storage
}

// Load is the place as it was written down; false where none was.
func (b *Bookmark) Load(ctx context.Context) (p Place, known bool, err error) {
	var log, event *uuid.UUID
	var stream *string
	var revision *uint64
	err = b.DB.QueryRow(ctx, `
		SELECT log_id, commit_position, prepare_position, event_id, event_stream, event_revision
		FROM jobs.bookmarks WHERE follower = $1`, b.Follower).
		Scan(&log, &p.Position.Commit, &p.Position.Prepare, &event, &stream, &revision)
	if errors.Is(err, pgx.ErrNoRows) {
		return Place{}, false, nil
	}
	if err != nil {
		return Place{}, false, b.fail(err)
	}
	if log != nil {
		p.Log = *log
	}
	if event != nil {
		p.EventID, p.Stream, p.Revision = *event, *stream, *revision
	}
	return p, true, nil
}

// Find is the place to go on from in this log. It is the start where there is no
// bookmark, and where the log does not have its event: such a bookmark is removed.
func (b *Bookmark) Find(ctx context.Context, log *eventstore.Client) (Place, error) {
	p, known, err := b.Load(ctx)
	if err != nil {
		return Place{}, err
	}
	if known {
		p, err = p.Verify(ctx, log)
		if !errors.Is(err, ErrOtherLog) {
			return p, b.fail(err)
		}
		if _, err := b.DB.Exec(ctx, `DELETE FROM jobs.bookmarks WHERE follower = $1 AND event_id = $2`,
			b.Follower, p.EventID); err != nil {
			return Place{}, b.fail(err)
		}
	}
	id, err := LogID(ctx, log) // of this log, so that a later restore of it is noticed
	return Place{Log: id}, b.fail(err)
}

// Advance moves the bookmark forward to a place; one that is there already, or
// further, stays.
func (b *Bookmark) Advance(ctx context.Context, p Place) error {
	_, err := b.DB.Exec(ctx, `
		INSERT INTO jobs.bookmarks AS mark
			(follower, log_id, commit_position, prepare_position, event_id, event_stream, event_revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (follower) DO UPDATE SET
			log_id = excluded.log_id,
			commit_position = excluded.commit_position, prepare_position = excluded.prepare_position,
			event_id = excluded.event_id, event_stream = excluded.event_stream, event_revision = excluded.event_revision
		WHERE (mark.commit_position, mark.prepare_position) < (excluded.commit_position, excluded.prepare_position)`,
		append([]any{b.Follower}, p.columns()...)...)
	return b.fail(err)
}

// Put moves the bookmark to a place, wherever it is now: for a follower to whom any
// earlier place would do as well.
func (b *Bookmark) Put(ctx context.Context, p Place) error {
	_, err := b.DB.Exec(ctx, `
		INSERT INTO jobs.bookmarks
			(follower, log_id, commit_position, prepare_position, event_id, event_stream, event_revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (follower) DO UPDATE SET
			log_id = excluded.log_id,
			commit_position = excluded.commit_position, prepare_position = excluded.prepare_position,
			event_id = excluded.event_id, event_stream = excluded.event_stream, event_revision = excluded.event_revision`,
		append([]any{b.Follower}, p.columns()...)...)
	return b.fail(err)
}

// Begin writes a place down where there is none, and fails with ErrMoved
// otherwise.
func (b *Bookmark) Begin(ctx context.Context, p Place) error {
	return b.one(b.DB.Exec(ctx, `
		INSERT INTO jobs.bookmarks
			(follower, log_id, commit_position, prepare_position, event_id, event_stream, event_revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		append([]any{b.Follower}, p.columns()...)...))
}

// Move moves the bookmark from a place to the next. It fails with ErrMoved where
// it is not at that place: whoever was cut off from Postgres for a while does not
// know that another instance has taken over.
func (b *Bookmark) Move(ctx context.Context, from, to Place) error {
	return b.one(b.DB.Exec(ctx, `
		UPDATE jobs.bookmarks SET log_id = $2, commit_position = $3, prepare_position = $4,
			event_id = $5, event_stream = $6, event_revision = $7
		WHERE follower = $1 AND commit_position = $8 AND prepare_position = $9
		  AND log_id IS NOT DISTINCT FROM $10 AND event_id IS NOT DISTINCT FROM $11`,
		append(append([]any{b.Follower}, to.columns()...),
			from.Position.Commit, from.Position.Prepare, orNull(from.Log), orNull(from.EventID))...))
}

func (b *Bookmark) one(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() != 1 {
		err = ErrMoved
	}
	return b.fail(err)
}

// columns are the values of the columns from log_id on.
func (p Place) columns() []any {
	columns := []any{orNull(p.Log), p.Position.Commit, p.Position.Prepare, nil, nil, nil}
	if p.EventID != uuid.Nil {
		columns[3], columns[4], columns[5] = p.EventID, p.Stream, p.Revision
	}
	return columns
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func (b *Bookmark) fail(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bookmark of %s: %w", b.Follower, err)
}
