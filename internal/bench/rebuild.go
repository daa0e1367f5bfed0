package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/projections/invoices"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

// rebuilding is the side that fills a projection's tables anew. Its rate is that
// of the events which the projection wants.
func rebuilding(lab *Lab, name string, p runner.Projection, subscribe func(*history) subscription) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		h, err := lab.history()
		if err != nil {
			return nil, err
		}
		took, err := h.rebuild(ctx, p, subscribe(h))
		if err != nil {
			return nil, err
		}
		return h.rate(ctx, p, took)
	}}
}

// rate is the projection's events by the time that was taken for them.
func (h *history) rate(ctx context.Context, p runner.Projection, took time.Duration) (Sample, error) {
	var events int
	err := h.pool.QueryRow(ctx, `SELECT count(*) FROM read.timeline WHERE $1::text[] IS NULL OR type = ANY ($1)`, p.Types()).Scan(&events)
	if err != nil {
		return nil, err
	}
	return Sample{Rate: float64(events) / took.Seconds()}, nil
}

// copying is the side that copies the timeline's rows, which are ready in the
// system's memory, into a table that is like it.
func copying(name, like string, of past) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return withCopy(ctx, of, like, func(conn *pgx.Conn) (took time.Duration, err error) {
			rows, err := os.CreateTemp("", "portal-bench-rows-") // some gigabytes of ten million
			if err != nil {
				return 0, err
			}
			defer func() { err = errors.Join(err, rows.Close(), os.Remove(rows.Name())) }()
			if _, err := conn.PgConn().CopyTo(ctx, rows,
				`COPY (SELECT * FROM read.timeline ORDER BY _position, _revision) TO STDOUT (FORMAT binary)`); err != nil {
				return 0, err
			}
			_, err = rows.Seek(0, io.SeekStart)
			if err := errors.Join(err, rows.Sync()); err != nil {
				return 0, err
			}
			started := time.Now()
			_, err = conn.PgConn().CopyFrom(ctx, rows, `COPY opponent FROM STDIN (FORMAT binary)`)
			return time.Since(started), err
		}, timeline.Projection{})
	}}
}

// The opponents of a rebuild, by name.
const (
	copiedTimeline   = "COPY of the same rows, primary key"
	upsertedInvoices = "INSERT … SELECT … ON CONFLICT, a row an event"
)

// past gives the read models whose rows an opponent takes.
type past func() (*history, error)

const (
	likeTimeline = `CREATE TABLE opponent (LIKE %s.timeline);
		ALTER TABLE opponent ADD PRIMARY KEY (business_id, occurred_at, _position, _revision)`
	likeTimelineIndexed = `CREATE TABLE opponent (LIKE %s.timeline INCLUDING INDEXES)`
	likeInvoices        = `CREATE TABLE opponent (LIKE %s.invoices); ALTER TABLE opponent ADD PRIMARY KEY (invoice_id)`
)

// upserting is the side that puts the invoices' rows, which are in Postgres
// already, into a table that is like theirs: in as many rounds as the longest
// history of an invoice has events, so that each row is put in once for each of
// its events; or in one round.
func upserting(name string, onceAnEvent bool, of past) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return withCopy(ctx, of, likeInvoices, func(conn *pgx.Conn) (time.Duration, error) {
			rounds, err := stage(ctx, conn, onceAnEvent)
			if err != nil {
				return 0, err
			}
			statement, err := upsertStatement(ctx, conn)
			if err != nil {
				return 0, err
			}
			started := time.Now()
			err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				for round := 1; round <= rounds; round++ {
					if _, err := tx.Exec(ctx, statement, round); err != nil {
						return err
					}
				}
				return nil
			})
			return time.Since(started), err
		}, invoices.Projection{})
	}}
}

// stage makes the table that the rows come from, and says in how many rounds.
func stage(ctx context.Context, conn *pgx.Conn, onceAnEvent bool) (rounds int, err error) {
	for _, statement := range []string{
		`DROP TABLE IF EXISTS staged`,
		`CREATE TABLE staged AS
			SELECT round, i.* FROM read.invoices i
			JOIN (SELECT _stream, CASE WHEN $1 THEN count(*) ELSE 1 END AS events FROM read.timeline GROUP BY _stream) t USING (_stream),
			LATERAL generate_series(1, events) AS round
			ORDER BY round, i._position`,
		`CREATE INDEX ON staged (round)`,
		`ANALYZE staged`,
	} {
		var args []any
		if strings.Contains(statement, "$1") {
			args = append(args, pgx.QueryExecModeSimpleProtocol, onceAnEvent) // a CREATE TABLE AS takes no parameters
		}
		if _, err := conn.Exec(ctx, statement, args...); err != nil {
			return 0, err
		}
	}
	return rounds, conn.QueryRow(ctx, `SELECT max(round) FROM staged`).Scan(&rounds)
}

func upsertStatement(ctx context.Context, conn *pgx.Conn) (string, error) {
	rows, err := conn.Query(ctx, `
		SELECT quote_ident(attname) FROM pg_attribute
		WHERE attrelid = 'opponent'::regclass AND attnum > 0 ORDER BY attnum`)
	if err != nil {
		return "", err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", err
	}
	updates := make([]string, len(columns))
	for i, column := range columns {
		updates[i] = column + " = excluded." + column
	}
	all := strings.Join(columns, ", ")
	return fmt.Sprintf(`INSERT INTO opponent (%s) SELECT %s FROM staged WHERE round = $1 ON CONFLICT (invoice_id) DO UPDATE SET %s`,
		all, all, strings.Join(updates, ", ")), nil
}

// withCopy has fill write into a fresh table, which is gone afterwards, and returns
// the rate of the projection's events.
func withCopy(
	ctx context.Context, of past, like string, fill func(*pgx.Conn) (time.Duration, error), p runner.Projection,
) (sample Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, rebuildLimit)
	defer cancel()
	h, err := of()
	if err != nil {
		return nil, err
	}
	var schema string
	if err := h.pool.QueryRow(ctx, `SELECT schema FROM runner.builds WHERE projection = $1 AND state = 'live'`,
		p.Name()).Scan(&schema); err != nil {
		return nil, err
	}
	if err := execute(ctx, h.url, fmt.Sprintf(like, schema)+"; CHECKPOINT"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, execute(context.WithoutCancel(ctx), h.url, "DROP TABLE opponent")) }()
	conn, err := pgx.Connect(ctx, h.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	took, err := fill(conn)
	if err != nil {
		return nil, err
	}
	return h.rate(ctx, p, took)
}

func rebuildRows(lab *Lab) []Row {
	byNetwork := func(h *history) subscription { return h.byNetwork }
	inProcess := func(h *history) subscription { return h.inProcess }
	const oneRow, group = "rebuild of timeline", "rebuild, a row an event"
	byClient := rebuilding(lab, "by the client", timeline.Projection{}, byNetwork)
	inside := rebuilding(lab, "in process", timeline.Projection{}, inProcess)
	copied := copying(copiedTimeline, likeTimeline, lab.history)
	indexed := copying("COPY of the same rows, all indexes", likeTimelineIndexed, lab.history)

	const folded, groupFolded = "rebuild of invoices", "rebuild, rows of several events"
	byClientFolded := rebuilding(lab, "by the client", invoices.Projection{}, byNetwork)
	insideFolded := rebuilding(lab, "in process", invoices.Projection{}, inProcess)
	upserted := upserting(upsertedInvoices, true, lab.history)
	inserted := upserting("INSERT … SELECT … ON CONFLICT, each row once", false, lab.history)
	return []Row{
		{
			Name: oneRow + ", by the client", Group: group, Figure: Rate, Subject: byClient,
			Baseline: copied, Budget: atLeast(0.4), Aim: atLeast(1),
		},
		{
			Name: oneRow + ", in process", Group: group, Figure: Rate, Subject: inside,
			Baseline: copied, Budget: atLeast(0.75), Aim: atLeast(1),
		},
		{Name: oneRow + ", in process", Group: group, Figure: Rate, Subject: inside, Baseline: indexed},
		{
			Name: folded + ", in process", Group: groupFolded, Figure: Rate, Subject: insideFolded,
			Baseline: upserted, Budget: atLeast(0.45), Aim: atLeast(0.8),
		},
		{Name: folded + ", by the client", Group: groupFolded, Figure: Rate, Subject: byClientFolded, Baseline: upserted},
		{Name: folded + ", in process", Group: groupFolded, Figure: Rate, Subject: insideFolded, Baseline: inserted},
	}
}
