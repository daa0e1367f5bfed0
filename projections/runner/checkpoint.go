package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/eventstore"
	"portal.example/internal/bookmark"
)

// errFenced says that the checkpoint is not where this leader left it: somebody
// else leads, though this one may still hold a lock that Postgres has given up.
var errFenced = errors.New("the checkpoint was moved, or rows were changed, by another")

// checkpoint is how far into which log a build is.
type checkpoint struct {
	position eventstore.Position
	logID    *uuid.UUID // bookmark.LogID; nil while the log was empty
	event    *landmark  // the last event that was dealt with
	asOf     time.Time
	caughtUp bool

	events    int64  // applied or held back so far
	lastEvent uint64 // commit position of the last of them
	complete  bool   // the end of the build's scope has been reached
	edition   int64  // of rows and state, which others than the leader may change
}

// landmark is an event by which the log is recognised.
type landmark struct {
	id       uuid.UUID
	stream   string
	revision uint64
}

func markOf(e *eventstore.Recorded) *landmark {
	return &landmark{id: e.ID, stream: e.Stream, revision: e.Revision}
}

// loadCheckpoint fails with errGone where the build is not in use any more.
func loadCheckpoint(ctx context.Context, db querier, build int64) (c checkpoint, s state, err error) {
	var (
		id       *uuid.UUID
		stream   *string
		revision *int64
	)
	err = db.QueryRow(ctx, `
		SELECT state, commit_position, prepare_position, log_id, event_id, event_stream, event_revision, as_of, caught_up,
		       events, last_event, complete, edition
		FROM runner.builds WHERE id = $1 AND state <> 'retired'`, build).
		Scan(&s, &c.position.Commit, &c.position.Prepare, &c.logID, &id, &stream, &revision, &c.asOf, &c.caughtUp,
			&c.events, &c.lastEvent, &c.complete, &c.edition)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, s, errGone
	}
	if id != nil {
		c.event = &landmark{id: *id, stream: *stream, revision: uint64(*revision)}
	}
	return c, s, err
}

// execer is a connection or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// store moves the build's checkpoint from one place to the next. It compares
// the whole place with the one before, because an advisory lock does not fence:
// a leader that was cut off does not know that it has lost it.
func (c checkpoint) store(ctx context.Context, db execer, build int64, before checkpoint) error {
	id, stream, revision := c.event.columns()
	idBefore, _, _ := before.event.columns()
	tag, err := db.Exec(ctx, `
		UPDATE runner.builds
		SET commit_position = $2, prepare_position = $3, log_id = $4,
		    event_id = $5, event_stream = $6, event_revision = $7,
		    as_of = greatest(as_of, $8), caught_up = $9, events = $14, last_event = $15, complete = $16
		WHERE id = $1 AND state <> 'retired' AND commit_position = $10 AND prepare_position = $11
		  AND log_id IS NOT DISTINCT FROM $12 AND event_id IS NOT DISTINCT FROM $13
		  AND edition = $17`,
		build, c.position.Commit, c.position.Prepare, c.logID, id, stream, revision, c.asOf, c.caughtUp,
		before.position.Commit, before.position.Prepare, before.logID, idBefore,
		c.events, c.lastEvent, c.complete, before.edition)
	if err == nil && tag.RowsAffected() != 1 {
		return errFenced
	}
	return err
}

func (m *landmark) columns() (id *uuid.UUID, stream *string, revision *int64) {
	if m == nil {
		return nil, nil, nil
	}
	r := int64(m.revision)
	return &m.id, &m.stream, &r
}

// verify checks that the log is the one that the checkpoint was taken from, and
// that it reaches as far. It returns the checkpoint in the log's present
// incarnation.
func (c checkpoint) verify(ctx context.Context, log *eventstore.Client) (checkpoint, error) {
	if c.logID == nil {
		return c, nil
	}
	place := bookmark.Place{Log: *c.logID, Position: c.position}
	if c.event != nil {
		place.EventID, place.Stream, place.Revision = c.event.id, c.event.stream, c.event.revision
	}
	place, err := place.Verify(ctx, log)
	c.logID = &place.Log
	return c, err
}

// Verify fails with ErrOtherLog where the log is not the one that live tables were
// built from. It is for whoever acts on Postgres before Run does: a log or a
// database that cannot be asked is no failure.
func (r *Runner) Verify(ctx context.Context) error {
	rows, err := r.cfg.Pool.Query(ctx, `
		SELECT id FROM runner.builds
		WHERE state = 'live' AND EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)`)
	if err != nil {
		return nil //nolint:nilerr // as the comment says
	}
	builds, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	for _, id := range builds {
		c, _, err := loadCheckpoint(ctx, r.cfg.Pool, id)
		if err != nil {
			continue
		}
		if _, err := c.verify(ctx, r.cfg.Client); errors.Is(err, ErrOtherLog) {
			return fmt.Errorf("runner: %w", err)
		}
	}
	return nil
}

// identify notes which log it is, as soon as there is something in it.
func (c *checkpoint) identify(ctx context.Context, log *eventstore.Client) error {
	if c.logID != nil || c.position == eventstore.Start() {
		return nil
	}
	id, err := bookmark.LogID(ctx, log)
	if err == nil && id != uuid.Nil {
		c.logID = &id
	}
	return err
}
