package sqlprojection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// Limits are what the statements of one batch may take.
type Limits struct {
	Statement time.Duration // of one statement
	Memory    string        // of one step of a statement, in Postgres's notation
	Disk      string        // of temporary files; only where the portal's user may limit it
}

// Running are the limits while a projection is filled.
var Running = Limits{Statement: 20 * time.Second, Memory: "64MB", Disk: "1GB"}

// Projection is a definition that can run: it has a role.
type Projection struct {
	definition *Definition
	role       string
	limits     Limits
	before     runner.Projection // the version before, nil where there is none
}

// New is the definition as the runner wants it, which takes the place of the one
// before, if any. The role exists, and the portal's user may become it.
func New(d *Definition, role string, limits Limits, before runner.Projection) runner.Projection {
	p := &Projection{definition: d, role: role, limits: limits, before: before}
	if d.Personal {
		return p
	}
	return sealed{p}
}

// sealed is a projection that is shown no personal field.
type sealed struct{ *Projection }

func (sealed) Sealed() {}

// Before is the version that was installed before, for those who go back to it.
func (p *Projection) Before() runner.Projection { return p.before }

// Name is the definition's name.
func (p *Projection) Name() string { return p.definition.Name }

// Version is the definition's version.
func (p *Projection) Version() int { return p.definition.Version }

// Types are the events that a statement is for.
func (p *Projection) Types() []string { return p.definition.Types() }

// Schema makes the tables, and lets the role use them.
func (p *Projection) Schema() string {
	var b strings.Builder
	for _, s := range p.definition.ddl {
		b.WriteString(s.sql + ";\n")
	}
	role := pgx.Identifier{p.role}.Sanitize()
	// What it cannot know is the schema's name.
	fmt.Fprintf(&b, "DO $grant$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %%I TO %%I', current_schema, '%s'); END $grant$;\n", p.role)
	for _, t := range p.definition.tables {
		fmt.Fprintf(&b, "GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s;\n", t.name, role)
		fmt.Fprintf(&b, "CREATE POLICY sql_projection ON %s TO %s USING (true) WITH CHECK (true);\n", t.name, role)
	}
	return b.String()
}

// Apply runs, in the file's order, each statement that has events in the batch,
// over all of them. It does so under the projection's role, in one round trip.
func (p *Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	var run []*statement
	work := &pgx.Batch{}
	p.limits.queue(work)
	work.Queue("SET LOCAL ROLE " + pgx.Identifier{p.role}.Sanitize())
	for i := range p.definition.statements {
		s := &p.definition.statements[i]
		rows, err := rowsOf(batch, s.types)
		if err != nil {
			return err
		}
		if len(rows.position) > 0 {
			run = append(run, s)
			work.Queue(s.overEvents(), rows.arguments()...)
		}
	}
	work.Queue("SET LOCAL ROLE NONE")
	return p.definition.send(ctx, tx, work, run)
}

// send runs the work, whose third query is the first of the statements.
func (d *Definition) send(ctx context.Context, tx pgx.Tx, work *pgx.Batch, run []*statement) error {
	const before = 2
	results := tx.SendBatch(ctx, work)
	for i := range work.Len() {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // which says the same
			if i >= before && i-before < len(run) {
				err = d.failed(ctx, run[i-before], err)
			}
			return err
		}
	}
	return results.Close()
}

// failed says where in the file the statement is, and whether it was stopped.
func (d *Definition) failed(ctx context.Context, s *statement, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && strings.HasPrefix(pg.Code, "23") {
		// Its detail is the row, which can be personal, and errors are kept.
		short := *pg
		short.Detail = ""
		err = &short
	}
	located := d.refused(err, s.rest.from, utf8.RuneCountInString(s.prefix()))
	if ctx.Err() == nil && slices.Contains([]string{timedOut, diskFull, memoryFull}, codeOf(err)) {
		return fmt.Errorf("%w: %w", runner.ErrStuck, located)
	}
	return located
}

// The codes of a statement that met a limit.
const (
	timedOut   = "57014" // query_canceled, by statement_timeout
	diskFull   = "53400" // configuration_limit_exceeded, by temp_file_limit
	memoryFull = "53200" // out_of_memory
)

func codeOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// queue sets the limits until the transaction ends. The plan is made for the
// batch at hand: one event today, thousands in a replay.
func (l Limits) queue(work *pgx.Batch) {
	work.Queue(`
		SELECT set_config('statement_timeout', $1, true), set_config('work_mem', $2, true),
		       set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true),
		       set_config('plan_cache_mode', 'force_custom_plan', true),
		       CASE WHEN has_parameter_privilege('temp_file_limit', 'SET') THEN set_config('temp_file_limit', $3, true) END`,
		fmt.Sprint(l.Statement.Milliseconds()), l.Memory, l.Disk)
}

// events is what statements read: a row an event, in the order of the log.
const events = `events AS MATERIALIZED (
	SELECT position, stream, revision, type, business_id, actor_kind, actor, occurred_at, recorded_at, data::jsonb
	FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
	            $8::timestamptz[], $9::timestamptz[], $10::text[])
	     AS e (position, stream, revision, type, business_id, actor_kind, actor, occurred_at, recorded_at, data))`

// prefix is what stands before the analyst's own text.
func (s *statement) prefix() string {
	if s.rest.from != s.from {
		return s.with + events + ", "
	}
	return s.with + events + " "
}

func (s *statement) overEvents() string { return s.prefix() + s.rest.sql }

// rows are events in columns.
type rows struct {
	position, revision                         []int64
	stream, kind, business, actorKind, actorID []string
	occurred, recorded                         []time.Time
	data                                       []string
}

func rowsOf(batch []eventstore.Decoded, types []string) (rows, error) {
	var r rows
	for i := range batch {
		d := &batch[i]
		if !slices.Contains(types, d.Record.Type) {
			continue
		}
		data, err := json.Marshal(d.Event)
		if err != nil {
			return r, fmt.Errorf("sqlprojection: %s@%d as JSON: %w", d.Record.Stream, d.Record.Revision, err)
		}
		occurred := d.Metadata.OccurredAt
		if occurred.IsZero() {
			occurred = d.Metadata.RecordedAt
		}
		r.position, r.revision = append(r.position, int64(d.Record.Position.Commit)), append(r.revision, int64(d.Record.Revision))
		r.stream, r.kind = append(r.stream, d.Record.Stream), append(r.kind, d.Record.Type)
		r.business, r.data = append(r.business, d.Metadata.Business), append(r.data, string(data))
		r.actorKind, r.actorID = append(r.actorKind, string(d.Metadata.Actor.Kind)), append(r.actorID, d.Metadata.Actor.ID)
		r.occurred, r.recorded = append(r.occurred, occurred), append(r.recorded, d.Metadata.RecordedAt)
	}
	return r, nil
}

func (r rows) arguments() []any {
	return []any{r.position, r.stream, r.revision, r.kind, r.business, r.actorKind, r.actorID, r.occurred, r.recorded, r.data}
}
