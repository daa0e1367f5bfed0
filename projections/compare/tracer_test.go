package compare

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

// tally is a projection whose rows are made of several streams: what has been
// billed to each customer, and under which name.
type tally struct{}

func (tally) Name() string    { return "tally" }
func (tally) Version() int    { return 1 }
func (tally) Types() []string { return []string{"CustomerAdded", "InvoiceIssued"} }

func (tally) Schema() string {
	return `CREATE TABLE tally (customer_id text PRIMARY KEY, name text NOT NULL DEFAULT '', invoices bigint NOT NULL DEFAULT 0,
		business_id text NOT NULL, _stream text, _position bigint)`
}

func (tally) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	for _, d := range batch {
		var id, name string
		count := 0
		switch e := d.Event.(type) {
		case customer.Added:
			id, name = e.CustomerID, e.Name
		case invoice.Issued:
			id, count = e.CustomerID, 1
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO tally VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (customer_id) DO UPDATE SET
			name = coalesce(nullif(excluded.name, ''), tally.name), invoices = tally.invoices + excluded.invoices,
			_stream = excluded._stream, _position = excluded._position`,
			id, name, count, d.Metadata.Business, d.Record.Stream, d.Record.Position.Commit); err != nil {
			return err
		}
	}
	return nil
}

type traced struct {
	t      *testing.T
	live   *projectiontest.Live
	tracer *Tracer
}

func newTraced(t *testing.T, change func(*TracerConfig)) traced {
	t.Helper()
	all := []runner.Projection{invoices.Projection{}, timeline.Projection{}, customers.Projection{}, tally{}}
	live := projectiontest.Follow(t, all...)
	_, other := projectiontest.Sample()
	live.Append(t, other, charged())
	c := TracerConfig{
		Pool: live.Pool, Log: live.Log(), Codec: live.Codec(), Code: runner.New(runner.Config{Projections: all}).Code, Time: time.Minute,
		Disclosed: func(table, column string) bool { return table == "invoices" && column == "status" },
	}
	change(&c)
	return traced{t, live, NewTracer(c)}
}

func (w traced) find(projection, table, row string) (*Found, error) {
	return w.tracer.Find(w.t.Context(), w.live.Pool, Key{projection, table, row})
}

func (w traced) trace(projection, table, row string, full bool) *Provenance {
	w.t.Helper()
	found, err := w.find(projection, table, row)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.tracer.Trace(w.t.Context(), found, full)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestWhereRowsAreFrom(t *testing.T) {
	t.Parallel()
	w := newTraced(t, func(*TracerConfig) {})

	due := w.trace("invoices", "invoices", projectiontest.DueID, true)
	if due.Last == nil || due.Last.Type != "InvoiceSent" || due.Last.Stream != invoice.Stream(projectiontest.DueID) {
		t.Errorf("changed last by %+v", due.Last)
	}
	if due.Chain.Scope != ScopeStream || !due.Chain.Complete ||
		types(due.Chain.Events) != "InvoiceDrafted InvoiceFrozen InvoiceIssued InvoicePaymentReceived InvoiceLateFeeAdded InvoiceLateFeeAdded InvoiceSent " {
		t.Errorf("chain %+v", due.Chain)
	}
	if made := due.Chain.Events; !made[0].Makes || strings.Join(made[4].Columns, " ") != "version billed outstanding details" ||
		strings.Join(made[6].Columns, " ") != "sent_at" {
		t.Errorf("what the events make: %+v", made)
	}
	if due.Row["billed"] != json.Number("5800") || due.Row["status"] != "issued" || due.Row["reference"] != "A51" {
		t.Errorf("the row: %v", due.Row)
	}

	encoded, err := json.Marshal(due)
	if err != nil || strings.Contains(string(encoded), secret) || !strings.Contains(string(encoded), `"kind":"late-fee"`) || len(due.Hidden) == 0 {
		t.Errorf("%v: %s", err, encoded)
	}
	// What is not proven by a fold is withheld, but for what is said to be harmless.
	if p := w.trace("invoices", "invoices", projectiontest.DueID, false); p.Chain != nil || p.Row["reference"] != hidden || p.Row["status"] != "issued" {
		t.Errorf("without the chain: %+v", p)
	}

	// A row of several streams is made by events of all the business, and of no
	// other.
	reyes := w.trace("tally", "tally", projectiontest.ReyesID, true)
	if reyes.Chain.Scope != ScopeBusiness || !reyes.Chain.Complete || types(reyes.Chain.Events) != "CustomerAdded InvoiceIssued InvoiceIssued " ||
		reyes.Row["name"] != hidden || reyes.Row["invoices"] != json.Number("2") {
		t.Errorf("of several streams: %+v %+v", reyes.Row, reyes.Chain)
	}
	if park := w.trace("tally", "tally", "customer_id="+projectiontest.ParkID, true); park.Chain.Scope != ScopeRecords ||
		types(park.Chain.Events) != "CustomerAdded InvoiceIssued " {
		t.Errorf("of two streams: %+v", park.Chain)
	}

	dana := w.trace("customers", "contacts", projectiontest.ReyesID+","+projectiontest.DanaID, true)
	if dana.Row["name"] != hidden || dana.Row["email"] != hidden || dana.Row["access"] != "everything" || !dana.Chain.Complete {
		t.Errorf("a contact: %+v", dana.Row)
	}
	entry := w.trace("timeline", "timeline", "record_id="+projectiontest.DueID+",type=InvoiceSent", true)
	if types(entry.Chain.Events) != "InvoiceSent " || !entry.Chain.Events[0].Makes || !entry.Chain.Complete || len(entry.Hidden) > 0 {
		t.Errorf("a row without a key: %+v", entry.Chain)
	}

	for key, want := range map[Key]error{
		{"nothing", "invoices", "x"}:                           ErrNotFound,
		{"invoices", "nothing", "x"}:                           ErrNotFound,
		{"invoices", "invoices", "x"}:                          ErrNotFound,
		{"invoices", "invoices", "a,b"}:                        ErrBadKey,
		{"invoices", "invoices", ""}:                           ErrBadKey,
		{"invoices", "invoices", "version=x"}:                  ErrBadKey,
		{"invoices", "invoices", "status=issued"}:              ErrBadKey, // several rows
		{"invoices", "invoices", "status=issued,nothing=1"}:    ErrBadKey,
		{"timeline", "timeline", projectiontest.DueID}:         ErrBadKey,
		{"invoices", "invoices", "x\x00"}:                      ErrBadKey,
		{"invoices", "invoices", `"`}:                          ErrBadKey,
		{"invoices", "invoices", strings.Repeat("x", 1001)}:    ErrBadKey,
		{"invoices", "invoices", "invoice_id=' OR true --"}:    ErrNotFound,
		{"invoices", `invoices"; DROP SCHEMA invoices_v1`, ""}: ErrNotFound,
	} {
		if _, err := w.tracer.Find(t.Context(), w.live.Pool, key); !errors.Is(err, want) {
			t.Errorf("%v: %v", key, err)
		}
	}
	// A reader finds the rows of their own business.
	for business, want := range map[string]error{projectiontest.BusinessID: nil, projectiontest.OtherID: ErrNotFound} {
		tx, err := w.live.Readers.Begin(t.Context(), business)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.tracer.Find(t.Context(), tx, Key{"invoices", "invoices", projectiontest.DueID}); !errors.Is(err, want) {
			t.Errorf("for %s: %v", business, err)
		}
		_ = tx.Rollback(t.Context())
	}
}

// The work is bounded, and what is left out is told.
func TestAChainIsBounded(t *testing.T) {
	t.Parallel()
	w := newTraced(t, func(c *TracerConfig) { c.Limits = Limits{Folds: 4} })
	if c := w.trace("invoices", "invoices", projectiontest.DueID, true).Chain; c.Complete || c.Why != "only the first 3 of 7 events were left out" || len(c.Events) != 3 {
		t.Errorf("few folds: %+v", c)
	}
	w.tracer.Limits = Limits{Events: 5}
	if c := w.trace("invoices", "invoices", projectiontest.DueID, true).Chain; c.Complete || !strings.Contains(c.Why, "more than 5") {
		t.Errorf("few events: %+v", c)
	}
	w.tracer.Limits = Limits{Scan: 3}
	if c := w.trace("tally", "tally", projectiontest.ReyesID, true).Chain; c.Complete || !strings.Contains(c.Why, "more than 3 before the row") {
		t.Errorf("a short look: %+v", c)
	}
	w.tracer.Limits, w.tracer.Time = Limits{}, time.Nanosecond
	if c := w.trace("invoices", "invoices", projectiontest.DueID, true).Chain; c.Complete || c.Why != "it took longer than 1ns" {
		t.Errorf("no time: %+v", c)
	}
}

// Folding leaves nothing behind, and nobody sees it.
func TestFoldingLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	mine, _ := projectiontest.Sample()
	rows, err := Refold(t.Context(), pool, invoices.Projection{}, History{Events: mine.Events})
	if err != nil || len(rows["invoices"]) != 4 {
		t.Errorf("%d rows, %v", len(rows["invoices"]), err)
	}
	var schemas int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'refold%'`).Scan(&schemas); err != nil || schemas != 0 {
		t.Errorf("%d schemas are left, %v", schemas, err)
	}
	// As with the runner, an event that cannot be applied holds back its stream.
	s := scratch(t, pool, invoices.Projection{})
	first := 0
	for mine.Events[first].Record.Stream != invoice.Stream(projectiontest.PaidID) {
		first++
	}
	var left int
	held, err := s.Fold(t.Context(), History{Events: mine.Events}.Without(first), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM invoices`).Scan(&left)
	})
	if err != nil || len(held) != 1 || held[invoice.Stream(projectiontest.PaidID)] == nil || left != 3 {
		t.Errorf("held %v, %d rows, %v", held, left, err)
	}
}

// forgetful is a keyring of which everybody has been erased.
type forgetful struct{}

func (forgetful) Obtain(context.Context, []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	return nil, eventstore.ErrErased
}

func (forgetful) Lookup(_ context.Context, subjects []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	keys := make(map[eventstore.Subject]eventstore.Key)
	for _, s := range subjects {
		keys[s] = nil
	}
	return keys, nil
}

// Once a person is erased, a row that was made before has texts that no event
// makes any more. Its figures are explained all the same.
func TestARowOfSomebodyErased(t *testing.T) {
	t.Parallel()
	var err error
	w := newTraced(t, func(c *TracerConfig) {
		if c.Codec, err = eventstore.NewCodec(forgetful{}, projectiontest.EventTypes()...); err != nil {
			t.Fatal(err)
		}
	})
	due := w.trace("invoices", "invoices", projectiontest.DueID, true)
	if c := due.Chain; c.Complete || c.Scope != ScopeStream || c.Why != "1 columns come out otherwise, because somebody has been erased" || len(c.Events) != 7 {
		t.Errorf("chain: %+v", c)
	}
	if due.Row["billed"] != json.Number("5800") {
		t.Errorf("row: %v", due.Row)
	}
}
