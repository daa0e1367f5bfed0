package compare

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/eventstore"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/runner"
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

const secret = "because Dana was late" // a text that the log seals

// charged is the sample, with two late fees on an invoice and one on another.
func charged() *projectiontest.History {
	h, _ := projectiontest.Sample()
	fee := func(id string, n int, amount int64) {
		h.Add(projectiontest.Sam, invoice.Stream(id), invoice.LateFeeAdded{
			CustomerID: projectiontest.ReyesID, ChargeID: domaintest.ID(n), Description: secret, Amount: euros(amount), At: domaintest.Noon,
		})
	}
	fee(projectiontest.DueID, 900, 500)
	fee(projectiontest.PaidID, 901, 700)
	fee(projectiontest.DueID, 902, 300)
	h.Add(projectiontest.Sam, invoice.Stream(projectiontest.DueID), invoice.Sent{CustomerID: projectiontest.ReyesID, At: domaintest.Noon})
	return h
}

// A program whose fee rule is mended fills its version beside the one before.
// The diff names the two invoices that change, and the fees that are why.
func TestAFeeRuleIsMended(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	live := projectiontest.Follow(t, feesTwice{})
	_, other := projectiontest.Sample()
	live.Append(t, charged(), other)
	follow(ctx, t, live, fixed{})
	was, is := buildNamed(ctx, t, live, "retired"), buildNamed(ctx, t, live, "live")
	if was.Version != 1 || is.Version != 2 {
		t.Fatalf("%+v became %+v", was, is)
	}
	diff := func(o Options) *Report {
		t.Helper()
		o.Examples = 10
		report, err := Diff(ctx, live.Pool, was.Schema, is.Schema, o)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	report := diff(Options{})
	table := report.Tables[0]
	if table.Changed != 2 || table.OnlyOld+table.OnlyNew+table.NotYet != 0 || table.OldRows != 4 || table.NewRows != 4 {
		t.Errorf("counts: %+v", table)
	}
	if want := []ColumnCount{{"version", 2}, {"billed", 2}, {"outstanding", 2}, {"details", 2}}; !cmp.Equal(table.Columns, want) {
		t.Errorf("columns: %v", table.Columns)
	}

	// What happens after the comparison is no part of it.
	later, err := live.Codec().Encode(ctx, invoice.Stream(projectiontest.DueID), charged().Events[0].Metadata, invoice.LateFeeAdded{
		CustomerID: projectiontest.ReyesID, ChargeID: domaintest.ID(903), Amount: euros(100), At: domaintest.Noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := live.Log().Append(ctx, invoice.Stream(projectiontest.DueID), eventstore.Any(), later...); err != nil {
		t.Fatal(err)
	}

	x := &Explainer{Pool: live.Pool, Log: live.Log(), Codec: live.Codec()}
	known := fixed{}
	if err := x.Explain(ctx, report, runner.InVersion(known, was.Version), runner.InVersion(known, is.Version)); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]struct {
		billed [2]any
		fees   int
	}{
		projectiontest.DueID:  {[2]any{json.Number("6600"), json.Number("5800")}, 2},
		projectiontest.PaidID: {[2]any{json.Number("11400"), json.Number("10700")}, 1},
	} {
		e := exampleOf(t, &table, id)
		if got := changeOf(e, "billed"); got.From != want.billed[0] || got.To != want.billed[1] {
			t.Errorf("billed of %s: %+v", id, got)
		}
		if x := e.Explanation; !x.Explained || x.Each || x.Gone || x.Scope != ScopeStream || types(x.Events) != strings.Repeat("InvoiceLateFeeAdded ", want.fees) {
			t.Errorf("%s is explained by %+v", id, x)
		}
		for _, named := range e.Explanation.Events {
			if named.Actor.ID != domaintest.Sam.ID || named.Position == "" || named.CommandID.String() == "" || named.RecordedAt.IsZero() {
				t.Errorf("an event is named as %+v", named)
			}
		}
	}

	// Nobody sees what is personal who did not ask for it.
	for personal, options := range map[bool]Options{false: {}, true: {Personal: true}} {
		encoded, err := json.Marshal(diff(options))
		if err != nil || strings.Contains(string(encoded), secret) != personal {
			t.Errorf("personal %t: %v: %s", personal, err, encoded)
		}
	}
	if encoded, err := json.Marshal(report); err != nil || strings.Contains(string(encoded), secret) {
		t.Errorf("explained: %v: %s", err, encoded)
	}

	// Without the code of the version before, the fees are only among the events
	// that make what differs.
	report = diff(Options{Business: projectiontest.BusinessID})
	if err := x.Explain(ctx, report, nil, fixed{}); err != nil {
		t.Fatal(err)
	}
	e := exampleOf(t, &report.Tables[0], projectiontest.PaidID)
	if x := e.Explanation; x.Explained || !strings.Contains(x.Why, "does not have the code") || !strings.Contains(types(x.Makers), "InvoiceLateFeeAdded") {
		t.Errorf("without the old code: %+v", x)
	}
	if report = diff(Options{Business: projectiontest.OtherID}); report.Different || report.Tables[0].OldRows != 0 {
		t.Errorf("of another business: %+v", report.Tables[0])
	}
}

// Where the same code made both, a row that its events do not make is told, and
// a row that misses an event is explained by it.
func TestRowsThatTheirEventsDoNotMake(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	live := projectiontest.Follow(t, invoices.Projection{})
	live.Append(t, charged())
	if err := live.Runner.Rebuild(ctx, "invoices"); err != nil {
		t.Fatal(err)
	}
	was, is := buildNamed(ctx, t, live, "retired"), buildNamed(ctx, t, live, "live")
	for _, damage := range []string{
		"UPDATE " + was.Schema + ".invoices SET billed = billed + 1, outstanding = outstanding + 1 WHERE invoice_id = '" + projectiontest.PaidID + "'",
		"UPDATE " + was.Schema + ".invoices SET sent_at = NULL WHERE invoice_id = '" + projectiontest.DueID + "'",
		"DELETE FROM " + was.Schema + ".invoices WHERE invoice_id = '" + projectiontest.DraftID + "'",
	} {
		if _, err := live.Pool.Exec(ctx, damage); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Diff(ctx, live.Pool, was.Schema, is.Schema, Options{Examples: 5})
	if err != nil {
		t.Fatal(err)
	}
	table := &report.Tables[0]
	if table.Changed != 2 || table.OnlyNew != 1 || table.OnlyOld != 0 {
		t.Errorf("counts: %+v", table)
	}
	x := &Explainer{Pool: live.Pool, Log: live.Log(), Codec: live.Codec()}
	if err := x.Explain(ctx, report, invoices.Projection{}, invoices.Projection{}); err != nil {
		t.Fatal(err)
	}
	if x := exampleOf(t, table, projectiontest.PaidID).Explanation; x.Explained || !strings.Contains(x.Why, "do not make the old row") {
		t.Errorf("a row that nothing makes: %+v", x)
	}
	if x := exampleOf(t, table, projectiontest.DueID).Explanation; !x.Explained || x.Stored != "old" || types(x.Events) != "InvoiceSent " {
		t.Errorf("a row that misses an event: %+v", x)
	}
	if x := exampleOf(t, table, projectiontest.DraftID).Explanation; !x.Explained || types(x.Events) != "InvoiceDrafted " {
		t.Errorf("a row that is missing: %+v", x)
	}
}

// follow lets another program's version of the projection go live.
func follow(ctx context.Context, t *testing.T, live *projectiontest.Live, p runner.Projection) {
	t.Helper()
	r := runner.New(runner.Config{Pool: live.Pool, Client: live.Log(), Codec: live.Codec(), Projections: []runner.Projection{p}})
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	until(ctx, t, func() bool {
		all, err := Builds(ctx, live.Pool, p.Name())
		return err == nil && slices.ContainsFunc(all, func(b Build) bool { return b.State == "live" && b.Version == p.Version() })
	})
}

// until waits for what is to come true.
func until(ctx context.Context, t *testing.T, done func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("it never came true")
		}
	}
}

func buildNamed(ctx context.Context, t *testing.T, live *projectiontest.Live, name string) Build {
	t.Helper()
	all, err := Builds(ctx, live.Pool, "invoices")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Choose(all, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func exampleOf(t *testing.T, table *Table, id string) *Example {
	t.Helper()
	i := slices.IndexFunc(table.Examples, func(e Example) bool { return e.Key["invoice_id"] == id })
	if i < 0 {
		t.Fatalf("no example for %s", id)
	}
	return &table.Examples[i]
}

func changeOf(e *Example, column string) Change {
	i := slices.IndexFunc(e.Changes, func(c Change) bool { return c.Name == column })
	if i < 0 {
		return Change{}
	}
	return e.Changes[i]
}

func types(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.Type + " ")
	}
	return b.String()
}

var _ Log = (*eventstore.Client)(nil)
