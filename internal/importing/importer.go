package importing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/business"
	"portal.example/eventstore"
)

// Importer brings files into the log of one business.
type Importer struct {
	Log      eventstore.Log
	Codec    *eventstore.Codec
	Secret   []byte // under which rows are fingerprinted, the same as in commands.Room
	Now      func() time.Time
	Business string
	// About says of a case what its file does not; see Subject. nil derives it
	// from the case.
	About func(caseID string) Subject
	// Progress, if any, is called after each row, one call at a time.
	Progress func()
}

// Summary is what became of a file's rows.
type Summary struct {
	Read     int   `json:"read"`
	Imported int   `json:"imported"` // by this run or an earlier one
	Refused  int   `json:"refused"`
	Events   int64 `json:"events"` // appended by this run
}

// Refusal is a row that was not imported, and why.
type Refusal struct {
	Row    Row
	Reason error
}

// workers is how many cases are on their way at once. It takes many to fill the
// log's group commits, each waiting for the disk.
const workers = 48

// stepLimit bounds what one row may take.
const stepLimit = time.Minute

// Run imports a file. An error means that it could not go on; what has been
// imported until then stays, and another run continues.
func (im *Importer) Run(ctx context.Context, f File) (Summary, []Refusal, error) {
	r, err := im.begin(ctx, f.Format)
	if err != nil {
		return Summary{}, nil, err
	}
	err = r.all(ctx, f.Cases)
	slices.SortFunc(r.refusals, func(a, b Refusal) int { return cmp.Compare(a.Row.Line, b.Row.Line) })
	r.summary.Refused, r.summary.Events = len(r.refusals), r.log.events.Load()
	return r.summary, r.refusals, err
}

// run is one Run.
type run struct {
	*Importer
	format    Format
	log       *counter
	room      *commands.Room
	zone      *time.Location // of the business
	customers customers
	numbers   *clerk

	mu       sync.Mutex
	summary  Summary
	refusals []Refusal
}

func (im *Importer) begin(ctx context.Context, format Format) (*run, error) {
	r := &run{Importer: im, format: format, log: &counter{Log: im.Log}}
	r.customers.known = map[string]func() error{}
	r.numbers = newClerk(r)
	store, err := commands.NewStore(r.log, im.Codec)
	if err != nil {
		return nil, err
	}
	r.room = &commands.Room{Store: store, Secret: im.Secret, Now: im.Now}
	settings, err := commands.Look(ctx, store.Businesses, business.Stream(im.Business))
	switch {
	case err != nil:
		return nil, err
	case settings.ID == "":
		return nil, business.ErrNotFound
	}
	if r.zone, err = time.LoadLocation(settings.TimeZone); err != nil {
		return nil, fmt.Errorf("time zone of business %s: %w", im.Business, err)
	}
	return r, nil
}

// about is what a case is about.
func (r *run) about(caseID string) Subject {
	if r.About != nil {
		return r.About(caseID)
	}
	return r.format.about(caseID)
}

// history is a case on its way into the log. Its rows come one after the other.
type history interface {
	take(ctx context.Context, row Row) error
}

func (r *run) all(ctx context.Context, cases []Case) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, c := range cases {
		if working.Err() != nil {
			break
		}
		group.Go(func() error { return r.one(working, c) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

func (r *run) one(ctx context.Context, c Case) error {
	h, err := r.format.begin(ctx, r, c.ID)
	if err != nil {
		return err
	}
	for _, row := range c.Rows {
		if err := r.step(ctx, h, c.ID, row); err != nil {
			return fmt.Errorf("line %d: %w", row.Line, err)
		}
	}
	return nil
}

// step takes one row and notes what became of it.
func (r *run) step(ctx context.Context, h history, caseID string, row Row) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	reason := identify(caseID, row)
	if reason == nil {
		reason = h.take(ctx, row)
	}
	if reason != nil && !refused(reason) {
		return reason
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Read++
	if reason == nil {
		r.summary.Imported++
	} else {
		r.refusals = append(r.refusals, Refusal{Row: row, Reason: plainly(reason)})
	}
	if r.Progress != nil {
		r.Progress()
	}
	return nil
}

// identify refuses a row that cannot be told from others.
func identify(caseID string, row Row) error {
	var check domain.Check
	check.Line("case", caseID, maxReference)
	if row.seq == math.MaxInt {
		check.Fail("seq", "not_a_number", "must be the row's place in its case, from 0")
	}
	return check.Err()
}

// maxReference is how long the name of a case may be: the documents made from
// it bear it as their reference.
const maxReference = 40

// refused tells a row that the portal will not take from a portal that is not
// able to.
func refused(err error) bool {
	_, refusal := errors.AsType[*domain.Error](err)
	return refusal || errors.Is(err, eventstore.ErrKeyReused) ||
		errors.Is(err, eventstore.ErrErased) || errors.Is(err, eventstore.ErrTooLarge)
}

// What the log's own refusals mean for a row.
var (
	errChanged = errors.New("something else has been imported as this row of the case")
	errErased  = errors.New("the customer's data has been erased")
)

func plainly(err error) error {
	switch {
	case errors.Is(err, eventstore.ErrKeyReused):
		return errChanged
	case errors.Is(err, eventstore.ErrErased):
		return errErased
	}
	return err
}

// command is the envelope of a command that comes from a file: the same each
// time for the same key. The content is what must not have changed then.
func (r *run) command(key string, at time.Time, content ...string) (eventstore.Metadata, error) {
	actor := eventstore.Actor{Kind: eventstore.ActorSystem}
	operation := "imports." + r.format.Name
	id, err := eventstore.CommandID(r.Business, actor, operation, key)
	parts := make([][]byte, len(content))
	for i, c := range content {
		parts[i] = []byte(c)
	}
	return eventstore.Metadata{
		CommandID:   id,
		Fingerprint: eventstore.NewFingerprint(r.room.Secret, parts...),
		Business:    r.Business,
		Operation:   operation,
		Actor:       actor,
		Origin:      eventstore.OriginImport,
		RecordedAt:  r.room.Now(),
		OccurredAt:  at,
	}, err
}

// ofRow is the envelope of the first command that a row leads to.
func (r *run) ofRow(caseID string, row Row, at time.Time) (eventstore.Metadata, error) {
	return r.command("row "+strconv.Itoa(row.seq)+" of "+caseID, at, row.Fields...)
}
