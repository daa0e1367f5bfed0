package sqlprojection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// Report is what a check found out about a definition that is good.
type Report struct {
	Name    string   `json:"name"`
	Version int      `json:"version"`
	Tables  []string `json:"tables"`
	Types   []string `json:"types"` // of events

	Events     int              `json:"events"` // of the sample
	Rows       map[string]int64 `json:"rows"`   // that they became, by table
	Seconds    float64          `json:"seconds"`
	WholeLog   int              `json:"wholeLog"`   // events there may be in all
	WholeInSec float64          `json:"wholeInSec"` // that these may take
	Warnings   []string         `json:"warnings"`
}

// changeNothing runs the statements over no events at all, which also finds those
// that never end.
func (t *trial) changeNothing(ctx context.Context) error {
	return t.undone(ctx, func(tx pgx.Tx) error {
		for i := range t.definition.statements {
			if err := t.run(ctx, tx, &t.definition.statements[i], nil); err != nil {
				return err
			}
		}
		counts, err := t.count(ctx, tx)
		for name, n := range counts {
			if n > 0 {
				return t.definition.problemf(t.definition.tableAt(name),
					"table %s: the statements write %d rows without any event", name, n).
					hint("select from events, and join other things to it")
			}
		}
		return err
	})
}

// run runs one statement over events of its types, and explains what stopped it.
func (t *trial) run(ctx context.Context, tx pgx.Tx, s *statement, batch []eventstore.Decoded) error {
	rows, err := rowsOf(batch, s.types)
	if err != nil {
		return err
	}
	work := &pgx.Batch{}
	t.projection.limits.queue(work)
	work.Queue("SET LOCAL ROLE " + t.projection.role)
	work.Queue(s.overEvents(), rows.arguments()...)
	work.Queue("SET LOCAL ROLE NONE")
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
		return t.definition.send(ctx, savepoint, work, []*statement{s})
	})
	if errors.Is(err, runner.ErrStuck) {
		return t.stopped(ctx, tx, s, rows, err)
	}
	return err
}

func (t *trial) count(ctx context.Context, tx pgx.Tx) (map[string]int64, error) {
	counts := make(map[string]int64)
	for _, table := range t.definition.tables {
		var n int64
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+table.name).Scan(&n); err != nil {
			return nil, err
		}
		counts[table.name] = n
	}
	return counts, nil
}

// apply is Apply with an explanation of what stopped it.
func (t *trial) apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	for i := range t.definition.statements {
		s := &t.definition.statements[i]
		if !slices.ContainsFunc(batch, func(e eventstore.Decoded) bool { return slices.Contains(s.types, e.Record.Type) }) {
			continue
		}
		if err := t.run(ctx, tx, s, batch); err != nil {
			return err
		}
	}
	return nil
}

// cutEvents is how many events are applied in several ways, to compare.
const cutEvents = 400

// cut applies the same events at once, one by one, and in a few batches, which
// must come to the same.
func (t *trial) cut(ctx context.Context) error {
	if err := t.setAside(ctx); err != nil {
		return err
	}
	events := wholeStreams(t.sample.Events, cutEvents)
	return t.undone(ctx, func(tx pgx.Tx) error {
		if err := t.apply(ctx, tx, events); err != nil {
			return err
		}
		for _, table := range t.definition.tables {
			if _, err := tx.Exec(ctx, `CREATE TABLE `+kept(table)+` AS TABLE `+table.name); err != nil {
				return err
			}
		}
		for _, size := range []int{1, len(events)/3 + 1} {
			if _, err := tx.Exec(ctx, "TRUNCATE "+strings.Join(t.definition.Tables(), ", ")); err != nil {
				return err
			}
			for batch := range slices.Chunk(events, size) {
				if err := t.apply(ctx, tx, batch); err != nil {
					return err
				}
			}
			if err := t.compare(ctx, tx, len(events), size); err != nil {
				return err
			}
		}
		return nil
	})
}

func kept(t table) string { return pgx.Identifier{"at once: " + t.name}.Sanitize() }

// wholeStreams are the events of some streams: of those with the most types of
// events first, until there are as many events as wanted.
func wholeStreams(events []eventstore.Decoded, wanted int) []eventstore.Decoded {
	types, count := make(map[string]map[string]bool), make(map[string]int)
	var streams []string
	for _, e := range events {
		if types[e.Record.Stream] == nil {
			types[e.Record.Stream] = make(map[string]bool)
			streams = append(streams, e.Record.Stream)
		}
		types[e.Record.Stream][e.Record.Type] = true
		count[e.Record.Stream]++
	}
	slices.SortStableFunc(streams, func(a, b string) int { return len(types[b]) - len(types[a]) })
	taken, total := make(map[string]bool), 0
	for _, s := range streams {
		if total < wanted && (total == 0 || total+count[s] <= 2*wanted) {
			taken[s] = true
			total += count[s]
		}
	}
	var chosen []eventstore.Decoded
	for _, e := range events {
		if taken[e.Record.Stream] {
			chosen = append(chosen, e)
		}
	}
	return chosen
}

// compare demands that the tables are what they were when all came at once.
func (t *trial) compare(ctx context.Context, tx pgx.Tx, events, size int) error {
	for _, table := range t.definition.tables {
		// The first of each side by the primary key, to show the same row twice.
		var key string
		err := tx.QueryRow(ctx, `
			SELECT string_agg(quote_ident(attname), ', ' ORDER BY array_position(indkey::int2[], attnum))
			FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
			WHERE indrelid = to_regclass($1) AND indisprimary`, table.name).Scan(&key)
		if err != nil {
			return err
		}
		var atOnce, inBatches *string
		err = tx.QueryRow(ctx, fmt.Sprintf(`
			SELECT (SELECT to_jsonb(r)::text FROM (TABLE %[1]s EXCEPT ALL TABLE %[2]s ORDER BY %[3]s LIMIT 1) r),
			       (SELECT to_jsonb(r)::text FROM (TABLE %[2]s EXCEPT ALL TABLE %[1]s ORDER BY %[3]s LIMIT 1) r)`,
			kept(table), table.name, key)).Scan(&atOnce, &inBatches)
		if err != nil {
			return err
		}
		if atOnce == nil && inBatches == nil {
			continue
		}
		return t.definition.problemf(table.from,
			"table %s: the rows depend on how the log is cut into batches: %d events at once give %s, in batches of %d they give %s",
			table.name, events, row(atOnce), size, row(inBatches)).
			hint("a batch has one event or thousands: add to the row that is there (ON CONFLICT … DO UPDATE SET n = t.n + excluded.n), " +
				"let the latest position win, and join what may have come in an earlier batch from a table instead of events")
	}
	return nil
}

func row(text *string) string {
	if text == nil {
		return "no such row"
	}
	if len(*text) > 300 {
		return strings.ToValidUTF8((*text)[:300], "") + "…"
	}
	return *text
}

// maxSetAside is how many streams of the sample may have an event that cannot be
// applied. More of them are no accident of data.
const maxSetAside = 10

// setAside takes the streams out of the sample that would be quarantined.
func (t *trial) setAside(ctx context.Context) error {
	var first error
	for n := 0; ; n++ {
		var bad *eventstore.Decoded
		err := t.undone(ctx, func(tx pgx.Tx) error {
			var err error
			bad, err = t.findBad(ctx, tx, t.sample.Events)
			return err
		})
		switch {
		case bad == nil && err == nil:
			if n > 0 {
				t.report.Warnings = append(t.report.Warnings, fmt.Sprintf(
					"%d streams of the sample have an event that cannot be applied, and would be quarantined; the first: %v", n, first))
			}
			return nil
		case bad == nil, n == maxSetAside:
			return err
		}
		if first == nil {
			first = fmt.Errorf("%s, event %d of %s: %w", bad.Record.Type, bad.Record.Revision, bad.Record.Stream, err)
		}
		t.sample.Events = slices.DeleteFunc(slices.Clone(t.sample.Events),
			func(e eventstore.Decoded) bool { return e.Record.Stream == bad.Record.Stream })
	}
}

// findBad applies events until one of them is refused, and returns that one with
// the refusal.
func (t *trial) findBad(ctx context.Context, tx pgx.Tx, events []eventstore.Decoded) (*eventstore.Decoded, error) {
	if len(events) == 0 {
		return nil, nil
	}
	var err error
	if len(events) <= trialBatch {
		savepoint, beginErr := tx.Begin(ctx)
		if beginErr != nil {
			return nil, beginErr
		}
		if err = t.apply(ctx, savepoint, events); err == nil {
			return nil, savepoint.Commit(ctx)
		}
		if err := savepoint.Rollback(ctx); err != nil {
			return nil, err
		}
		if !ofData(err) {
			return nil, err
		}
		if len(events) == 1 {
			return &events[0], err
		}
	}
	middle := min(trialBatch, (len(events)+1)/2)
	if bad, err := t.findBad(ctx, tx, events[:middle]); bad != nil || err != nil {
		return bad, err
	}
	return t.findBad(ctx, tx, events[middle:])
}

// ofData tells an error that the runner would blame on an event.
func ofData(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains([]string{"21", "22", "23", "54"}, pg.Code[:2])
}

// trialBatch is about as large as the runner's batches while it reads history.
const trialBatch = 5_000

// measure applies the sample as a replay would, and leaves the rows for explain.
func (t *trial) measure(ctx context.Context) error {
	r := &t.report
	began := time.Now()
	for batch := range slices.Chunk(t.sample.Events, trialBatch) {
		if err := t.apply(ctx, t.tx, batch); err != nil {
			return err
		}
	}
	r.Seconds, r.Events = time.Since(began).Seconds(), len(t.sample.Events)
	if t.sample.Share > 0 {
		r.WholeLog = int(float64(r.Events) / t.sample.Share)
		r.WholeInSec = r.Seconds / t.sample.Share
	}
	var err error
	r.Rows, err = t.count(ctx, t.tx)
	return err
}
