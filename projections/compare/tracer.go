package compare

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// Found is a row whose origin can be traced.
type Found struct {
	build   Build
	table   *table
	row     Row
	project runner.Projection
}

// Provenance is where a row is from.
type Provenance struct {
	Projection string         `json:"projection"`
	Version    int            `json:"version"`
	Table      string         `json:"table"`
	Business   string         `json:"business"`
	Row        map[string]any `json:"row"`              // texts that may be personal are withheld
	Hidden     []string       `json:"hidden,omitempty"` // columns with such texts

	Last  *Event `json:"last"` // changed the row last; null where the log does not have it any more
	Chain *Chain `json:"chain,omitempty"`
}

// Chain is all events that made a row.
type Chain struct {
	// Complete says that folding the events makes exactly this row, and that each
	// of them was left out once.
	Complete bool   `json:"complete"`
	Why      string `json:"why,omitempty"` // not

	Events     []Event `json:"events" nullable:"false"` // without which the row would be another; with the columns that would
	Scope      string  `json:"scope" enum:"stream,records,business" doc:"where the events were looked for"`
	Candidates int     `json:"candidates" doc:"events that were looked at"`
	Folds      int     `json:"folds" doc:"how often they were folded"`
}

// Code finds a projection in a version, nil where its code is not there.
type Code func(ctx context.Context, projection string, version int) (runner.Projection, error)

// TracerConfig is what a tracer needs. Only the first four are required.
type TracerConfig struct {
	Pool      *pgxpool.Pool
	Log       Log
	Codec     *eventstore.Codec
	Code      Code
	Limits    Limits
	Disclosed Disclosed // as in Options, as is Personal
	Personal  bool

	// Time bounds the work on a chain, which is then told as far as it is known;
	// three seconds by default.
	Time time.Duration
}

// Tracer tells where rows are from.
type Tracer struct {
	TracerConfig
	chains *semaphore.Weighted // that are being folded
}

// chainsAtOnce bounds what chains take away from everything else.
const chainsAtOnce = 2

// NewTracer makes a tracer.
func NewTracer(c TracerConfig) *Tracer {
	if c.Time <= 0 {
		c.Time = 3 * time.Second
	}
	return &Tracer{c, semaphore.NewWeighted(chainsAtOnce)}
}

// Has says whether there is the projection: whether it has been built.
func (t *Tracer) Has(ctx context.Context, projection string) (bool, error) {
	builds, err := Builds(ctx, t.Pool, projection)
	return len(builds) > 0, err
}

// Find looks for the row in the live build. db is asked for the row itself, so
// that a reader's transaction shows no more than its business; the catalogue is
// the tracer's own business.
func (t *Tracer) Find(ctx context.Context, db Querier, key Key) (*Found, error) {
	if len(key.Row) > maxKey || strings.Contains(key.Row, "\x00") {
		return nil, fmt.Errorf("%w: of at most %d bytes, none of them zero", ErrBadKey, maxKey)
	}
	builds, err := Builds(ctx, t.Pool, key.Projection)
	if err != nil {
		return nil, err
	}
	live, err := Choose(builds, "live")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	tables, err := tablesOf(ctx, t.Pool, live.Schema)
	if err != nil {
		return nil, err
	}
	f := &Found{
		build: live, table: tables[key.Table],
	}
	if f.project, err = t.Code(ctx, key.Projection, live.Version); err != nil {
		return nil, err
	}
	if f.table == nil {
		return nil, fmt.Errorf("%w: %s has the tables %s", ErrNotFound, key.Projection,
			strings.Join(slices.Sorted(maps.Keys(tables)), ", "))
	}
	f.row, err = f.table.find(ctx, db, key.Row)
	return f, err
}

// Trace tells by which event the row was changed last and, where full is asked,
// the whole chain. It may ask the log for much, and takes a connection of its own.
func (t *Tracer) Trace(ctx context.Context, f *Found, full bool) (*Provenance, error) {
	business, stream, position := f.row.origin()
	p := &Provenance{Projection: f.build.Projection, Version: f.build.Version, Table: f.table.name, Business: business}
	var err error
	if p.Last, err = t.last(ctx, f, stream, position, business); err != nil {
		return nil, err
	}
	show := discretion{
		everything: t.Personal || f.project != nil && isSealed(f.project),
		disclosed:  t.Disclosed, table: f.table.name,
	}
	if full {
		var proof Row
		if p.Chain, proof, err = t.chain(ctx, f); err != nil {
			return nil, fmt.Errorf("compare: tracing a row of %s: %w", f.table.name, err)
		}
		show.proofs = []Row{proof}
	}
	p.Row = make(map[string]any)
	for _, c := range show.changes(nil, f.row, f.table.columns) {
		p.Row[c.Name] = c.To
		if c.Hidden {
			p.Hidden = append(p.Hidden, c.Name)
		}
	}
	return p, nil
}

// last is the event of the stream at the row's position, if it is the business's.
func (t *Tracer) last(ctx context.Context, f *Found, stream string, position int64, business string) (*Event, error) {
	var last *eventstore.Recorded
	limits := t.Limits.orDefault()
	read := 0
	err := readUntil(t.Log.ReadStream(ctx, stream, 0), position, func(e eventstore.Recorded) error {
		if read++; read > limits.Scan {
			return fmt.Errorf("%w: more than %d in %s", ErrTooMany, limits.Scan, stream)
		}
		if e.Position.Commit == uint64(position) && (f.project == nil || wants(f.project, e.Type)) {
			last = &e
		}
		return nil
	})
	if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
		return nil, nil
	}
	if err != nil || last == nil {
		return nil, err
	}
	decoded := t.Codec.DecodeSealed([]eventstore.Recorded{*last})[0]
	if decoded.Metadata.Business != business {
		return nil, nil
	}
	e := eventOf(&decoded)
	return &e, nil
}

// chain folds the events of the row again, without each of them in turn. proof
// is the row as it comes out without personal fields.
func (t *Tracer) chain(ctx context.Context, f *Found) (_ *Chain, proof Row, err error) {
	if f.project == nil {
		return &Chain{Why: fmt.Sprintf("the program does not have the code of version %d", f.build.Version), Events: []Event{}}, nil, nil
	}
	bounded, cancel := context.WithTimeout(ctx, t.Time)
	defer cancel()
	c := &Chain{Events: []Event{}}
	proof, err = t.leaveOut(bounded, f, c)
	if bounded.Err() != nil && ctx.Err() == nil {
		c.Complete, c.Why = false, fmt.Sprintf("it took longer than %s", t.Time)
		return c, proof, nil // what is known by then is the answer
	}
	return c, proof, err
}

func (t *Tracer) leaveOut(ctx context.Context, f *Found, c *Chain) (proof Row, err error) {
	if err := t.chains.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer t.chains.Release(1)
	scratch, err := OpenScratch(ctx, t.Pool, f.project)
	if err != nil {
		return nil, err
	}
	defer scratch.Close(ctx)
	limits := t.Limits.orDefault()
	q := f.question()
	q.new, q.limits = scratch, limits
	business, _, position := f.row.origin()
	g := gatherer{log: t.Log, codec: t.Codec, limits: limits, projections: []runner.Projection{f.project}}
	s, scope, why, err := reproduced(ctx, g, wanted{business: business, rows: []Row{f.row}, until: position}, q)
	c.Scope, c.Why = scope, strings.Replace(why, "the new row", "the row", 1)
	if err != nil || s == nil {
		return nil, err
	}
	if proof, _, err = scratch.row(ctx, s.history.sealed(), s.target); err != nil {
		return nil, err
	}
	c.Candidates = len(s.history.Events)
	err = s.leaveOut(ctx)
	c.Events = append(c.Events, s.influences(func(a answer) Row { return a.is }, s.columns)...)
	c.Folds = s.folds
	switch {
	case errors.Is(err, errTooLong):
		c.Why = fmt.Sprintf("only the first %d of %d events were left out", len(s.without), len(s.history.Events))
	case err != nil:
		return proof, err
	case s.forgotten > 0:
		c.Why = fmt.Sprintf("%d columns come out otherwise, because somebody has been erased", s.forgotten)
	default:
		c.Complete = true
	}
	return proof, nil
}

// question asks for the whole row.
func (f *Found) question() question {
	q := question{target: target{table: f.table.name}, is: f.row}
	for _, c := range f.table.columns {
		if c.name == positionColumn {
			continue
		}
		q.columns = append(q.columns, c.name)
		if !c.harmless() {
			q.texts = append(q.texts, c.name)
		}
	}
	if len(f.table.key) > 0 {
		q.key = make(Row)
		for _, name := range f.table.key {
			q.key[name] = f.row[name]
		}
		return q
	}
	q.content = maps.Clone(f.row) // with its position, which tells it from others that say the same
	q.columns, q.texts, q.is = []string{times}, nil, counted(1)
	return q
}
