package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
)

// Quarantined is a stream that stopped at an event which could not be applied.
// What follows in the stream is held back, so that it can be applied in order.
type Quarantined struct {
	Projection string
	Version    int
	Live       bool // of the build that requests read; otherwise of one that is being filled
	Stream     string
	Business   string
	EventID    uuid.UUID // the poisoned event
	EventType  string
	Revision   uint64
	Position   uint64 // commit position
	Held       int    // events held back, the poisoned one too
	Error      string
	Stack      string // where it failed in the program, of a panic
	Attempts   int
	Since      time.Time
	TriedAt    time.Time
	Retrying   bool // another attempt has been asked for and not been made yet
}

// ListQuarantined lists the quarantined streams of a projection, or of all for
// an empty name, oldest first, at most limit of them.
func ListQuarantined(ctx context.Context, pool *pgxpool.Pool, projection string, limit int) ([]Quarantined, error) {
	rows, err := pool.Query(ctx, `
		SELECT projection, version, state = 'live', stream, business_id, q.event_id, event_type, q.event_revision,
		       event_position, held, error, stack, attempts, since, tried_at, retry
		FROM runner.quarantine q JOIN runner.builds ON id = build_id
		WHERE state <> 'retired' AND $1 IN ('', projection)
		ORDER BY since, stream LIMIT $2`, projection, limit)
	if err != nil {
		return nil, fmt.Errorf("runner: listing the quarantine: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Quarantined])
	if err != nil {
		return nil, fmt.Errorf("runner: listing the quarantine: %w", err)
	}
	return list, nil
}

// Retry asks the leader to apply what a stream holds back, in order; it does so
// within about a second. An empty stream means all of the projection's. It
// returns how many streams will be tried.
func Retry(ctx context.Context, pool *pgxpool.Pool, projection, stream string) (int, error) {
	tag, err := pool.Exec(ctx, `
		UPDATE runner.quarantine SET retry = true
		FROM runner.builds
		WHERE id = build_id AND state <> 'retired' AND projection = $1 AND $2 IN ('', stream)`, projection, stream)
	if err != nil {
		return 0, fmt.Errorf("runner: asking for a retry: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// askForRetries lists the build's quarantine. A new leader may be a new program
// that understands more than the last one, so that everything gets a chance.
func askForRetries(ctx context.Context, conn *pgx.Conn, build int64) (map[string]bool, error) {
	rows, err := conn.Query(ctx, `
		UPDATE runner.quarantine SET retry = true WHERE build_id = $1 RETURNING stream`, build)
	if err != nil {
		return nil, err
	}
	streams, err := pgx.CollectRows(rows, pgx.RowTo[string])
	held := make(map[string]bool, len(streams))
	for _, s := range streams {
		held[s] = true
	}
	return held, err
}

// retriesATick keeps a leader from neglecting the streams that flow.
const retriesATick = 10

// streamsToRetry also keeps the session alive, learns of skips, and notices a build
// that has been retired. A stream that stands at a skipped event is tried without
// being asked for, before long: it may have come there while the skip was decided,
// which was about another build of the version.
func (l *leader) streamsToRetry(ctx context.Context) ([]string, error) {
	var streams []string
	var skipped []uuid.UUID
	err := l.conn.QueryRow(ctx, `
		WITH skipped AS MATERIALIZED (
			SELECT event_id FROM runner.skips WHERE projection = $3 AND version = $4)
		SELECT ARRAY(SELECT stream FROM runner.quarantine q
		             WHERE build_id = id AND (retry OR tried_at < now() - interval '5 seconds' AND q.event_id IN (SELECT event_id FROM skipped))
		             ORDER BY since, stream LIMIT $2),
		       ARRAY(SELECT event_id FROM skipped)
		FROM runner.builds WHERE id = $1 AND state <> 'retired'`,
		l.build.id, retriesATick, l.build.projection.Name(), l.build.projection.Version()).Scan(&streams, &skipped)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errGone
	}
	if err == nil {
		l.skips = skipsOf(skipped)
	}
	return streams, err
}

// retry applies what a stream holds back, up to the next event that cannot be
// applied. The rest of the log waits meanwhile, as it is one transaction.
func (l *leader) retry(ctx context.Context, stream string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowest)
	defer cancel()
	var released bool
	err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		// Fences: from here on no other leader can move the checkpoint.
		if err := l.stored.store(ctx, tx, l.build.id, l.stored); err != nil {
			return err
		}
		var next, last uint64
		if err := tx.QueryRow(ctx, `SELECT event_revision, held_revision FROM runner.quarantine
			WHERE build_id = $1 AND stream = $2`, l.build.id, stream).Scan(&next, &last); err != nil {
			return err
		}
		found, applied, err := l.applyHeld(ctx, tx, stream, next, last)
		if err != nil {
			return err
		}
		released = found.poisoned[stream] == nil
		return l.recordRetry(ctx, tx, stream, found.poisoned[stream], applied)
	})
	if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
		return l.noteFailure(ctx, stream, err)
	}
	if err != nil {
		return err
	}
	if released {
		delete(l.held, stream)
		l.log.InfoContext(ctx, "stream has left quarantine", "stream", stream)
	}
	return nil
}

// noteFailure is for a stream that is no longer in the log.
func (l *leader) noteFailure(ctx context.Context, stream string, failure error) error {
	_, err := l.conn.Exec(ctx, `
		UPDATE runner.quarantine SET error = $3, stack = '', attempts = attempts + 1, tried_at = now(), retry = false
		WHERE build_id = $1 AND stream = $2`, l.build.id, stream, failure.Error())
	return err
}

// heldChunk is how many held events are in memory at a time.
const heldChunk = 1000

// applyHeld applies the stream's events from next to last but the skipped ones, as
// far as it can, and counts those that are done with.
func (l *leader) applyHeld(ctx context.Context, tx pgx.Tx, stream string, next, last uint64) (*findings, int, error) {
	found := newFindings(nil)
	applied := 0
	var chunk []eventstore.Recorded
	var skipped []uint64 // revisions
	applyChunk := func() error {
		decoded, err := decode(ctx, l.runner.cfg.Codec, chunk, isSealed(l.build.projection))
		if err != nil {
			return err
		}
		if err := l.bisect(ctx, tx, decoded, found); err != nil {
			return err
		}
		for _, d := range decoded {
			if p := found.poisoned[stream]; p == nil || d.Record.Revision < p.event.Record.Revision {
				applied++
			}
		}
		chunk = nil
		return nil
	}
	for e, err := range l.runner.cfg.Client.ReadStream(ctx, stream, next) {
		if err != nil {
			return nil, 0, err
		}
		if e.Revision > last || found.poisoned[stream] != nil {
			break
		}
		if !wants(l.build.projection.Types(), e.Type) || !l.build.scope.admits(&e) {
			continue
		}
		if l.skips[e.ID] {
			skipped = append(skipped, e.Revision)
			continue
		}
		if chunk = append(chunk, e); len(chunk) == heldChunk {
			if err := applyChunk(); err != nil {
				return nil, 0, err
			}
		}
	}
	if len(chunk) > 0 && found.poisoned[stream] == nil {
		if err := applyChunk(); err != nil {
			return nil, 0, err
		}
	}
	for _, revision := range skipped {
		if p := found.poisoned[stream]; p == nil || revision < p.event.Record.Revision {
			applied++
		}
	}
	return found, applied, nil
}

func (l *leader) recordRetry(ctx context.Context, tx pgx.Tx, stream string, p *poison, applied int) error {
	if p == nil {
		_, err := tx.Exec(ctx, `DELETE FROM runner.quarantine WHERE build_id = $1 AND stream = $2`, l.build.id, stream)
		return err
	}
	r := &p.event.Record
	l.log.WarnContext(ctx, "stream stays in quarantine",
		"stream", stream, "event", r.ID, "type", r.Type, "revision", r.Revision, "error", p.err)
	_, err := tx.Exec(ctx, `
		UPDATE runner.quarantine
		SET event_id = $3, event_type = $4, event_revision = $5, event_position = $6,
		    held = held - $7, error = $8, stack = $9, attempts = attempts + 1, tried_at = now(), retry = false
		WHERE build_id = $1 AND stream = $2`,
		l.build.id, stream, r.ID, r.Type, r.Revision, r.Position.Commit, applied, storable(p.err.Error()), storable(stackOf(p.err)))
	return err
}

// admit takes note of what a committed transaction found.
func (l *leader) admit(ctx context.Context, found *findings) {
	for stream, p := range found.poisoned {
		l.held[stream] = true
		l.log.ErrorContext(ctx, "stream quarantined", "stream", stream, "event", p.event.Record.ID,
			"type", p.event.Record.Type, "revision", p.event.Record.Revision, "error", p.err, "stack", stackOf(p.err))
	}
}
