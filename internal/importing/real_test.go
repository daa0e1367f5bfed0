package importing_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"portal.example/domain"
	"portal.example/domain/account"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/domain/request"
	"portal.example/eventstore"
	"portal.example/internal/importing"
	"portal.example/internal/postgres"
)

// money is what a billing history comes to, in cents.
type money struct {
	Invoices, PaidInFull, PartPaid    int64
	Billed, Paid, Credit, Outstanding int64
}

// piece is some of a file's cases: the whole of both files is imported by the
// program itself, in the tests of cmd/portal.
func piece(f importing.File, from, to int) importing.File {
	f.Cases, f.Rows = f.Cases[from:to], 0
	for _, c := range f.Cases {
		f.Rows += len(c.Rows)
	}
	return f
}

// moneyInSQL loads the file into a table as it is, and adds up these cases.
func moneyInSQL(t *testing.T, path string, cases []importing.Case) (m money, zeroPayments int) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, postgres.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `CREATE TABLE raw (case_id text, seq int, activity text, date date,
		amount_cents bigint, expense_cents bigint, paid_cents bigint)`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().CopyFrom(ctx, unzipped(t, path), `COPY raw FROM STDIN (FORMAT csv, HEADER)`); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.ID)
	}
	if _, err := conn.Exec(ctx, `DELETE FROM raw WHERE case_id <> ALL ($1)`, names); err != nil {
		t.Fatal(err)
	}
	query, err := os.ReadFile(filepath.Join("testdata", "money.sql"))
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(ctx, string(query)).Scan(
		&m.Invoices, &m.PaidInFull, &m.PartPaid, &m.Billed, &m.Paid, &m.Credit, &m.Outstanding)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(ctx, `SELECT count(*) FROM raw WHERE paid_cents = 0`).Scan(&zeroPayments)
	if err != nil {
		t.Fatal(err)
	}
	return m, zeroPayments
}

func unzipped(t *testing.T, path string) *gzip.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// What the domain makes of the events comes to what SQL makes of the rows, in a
// piece of the file that has a payment of nothing and one of too much.
func TestTheRealFines(t *testing.T) {
	t.Parallel()
	path := realPath(t, "fines.csv.gz")
	file := piece(realFile(t, path, importing.Fines), 1200, 1500)
	want, zeroPayments := moneyInSQL(t, path, file.Cases)
	if zeroPayments == 0 || want.Credit == 0 {
		t.Fatalf("the piece has %d payments of nothing, and a credit of %d", zeroPayments, want.Credit)
	}
	l := newLab(t)
	first, refusals, err := l.run(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if first.Read != file.Rows || first.Imported+first.Refused != first.Read || first.Refused != zeroPayments {
		t.Errorf("imported %+v of %d rows, %d of them payments of nothing", first, file.Rows, zeroPayments)
	}
	for _, r := range refusals {
		if got := r.Reason.Error(); got != "amount: must be more than zero" {
			t.Errorf("line %d: %s", r.Row.Line, got)
		}
	}
	history := l.history(t)
	if diff := cmp.Diff(want, moneyInLog(t, history)); diff != "" {
		t.Errorf("money (-SQL over the file +log):\n%s", diff)
	}
	numbersLeaveNoGap(t, history, int(want.Invoices))
	envelopes(t, history)

	again, _, err := l.run(t, file)
	first.Events = 0
	if err != nil || again != first {
		t.Errorf("a second run did %+v, %v", again, err)
	}
}

func moneyInLog(t *testing.T, history map[string][]eventstore.Decoded) (m money) {
	t.Helper()
	var accounts int64
	for stream, events := range history {
		switch {
		case strings.HasPrefix(stream, "invoice-"):
			s := fold[invoice.State, invoice.Event](events)
			m.Invoices++
			m.Billed += s.Billed.Amount
			m.Paid += s.Paid.Amount
			m.Credit += s.Credit.Amount
			m.Outstanding += s.Balance().Amount
			switch {
			case s.Balance().Amount == 0:
				m.PaidInFull++
			case s.Paid.Amount > 0:
				m.PartPaid++
			}
		case strings.HasPrefix(stream, "account-"):
			accounts += fold[account.State, account.Event](events).Balance("EUR").Amount
		}
	}
	if accounts != m.Credit {
		t.Errorf("the accounts hold %d, the invoices gave %d", accounts, m.Credit)
	}
	return m
}

func fold[S domain.Folded[S, E], E any](events []eventstore.Decoded) (s S) {
	for _, d := range events {
		s = s.Evolve(d.Event.(E))
	}
	return s
}

func numbersLeaveNoGap(t *testing.T, history map[string][]eventstore.Decoded, count int) {
	t.Helper()
	var numbers []int64
	for stream, events := range history {
		for _, d := range events {
			if e, is := d.Event.(invoice.Issued); is {
				numbers = append(numbers, e.Number)
			}
			if e, is := d.Event.(register.NumberTaken); is && uint64(e.Number) != d.Record.Revision+1 {
				t.Errorf("event %d of %s is number %d", d.Record.Revision, stream, e.Number)
			}
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != int64(i+1) {
			t.Fatalf("the numbers have %d in place %d", n, i+1)
		}
	}
	if len(numbers) != count {
		t.Errorf("%d numbers for %d invoices", len(numbers), count)
	}
}

// envelopes demands that every event says when it happened and when the portal
// learnt of it.
func envelopes(t *testing.T, history map[string][]eventstore.Decoded) {
	t.Helper()
	for stream, events := range history {
		for _, d := range events {
			m := d.Metadata
			if m.OccurredAt.IsZero() || !m.OccurredAt.Before(now().AddDate(-10, 0, 0)) || !m.RecordedAt.Equal(now()) {
				t.Fatalf("event %d of %s occurred at %s and was recorded at %s", d.Record.Revision, stream, m.OccurredAt, m.RecordedAt)
			}
		}
	}
}

func TestTheRealRequests(t *testing.T) {
	t.Parallel()
	path := realPath(t, "requests.csv.gz")
	file := piece(realFile(t, path, importing.Requests), 0, 150)
	l := newLab(t)
	first, _, err := l.run(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if first.Refused != 0 || first.Imported != file.Rows {
		t.Errorf("imported %+v of %d rows", first, file.Rows)
	}
	history := l.history(t)
	want := map[string][]step{}
	all := stepsInFile(t, path)
	for _, c := range file.Cases {
		want[c.ID] = all[c.ID]
	}
	if diff := cmp.Diff(want, stepsInLog(history)); diff != "" {
		t.Errorf("requests (-file +log):\n%.4000s", diff)
	}
	envelopes(t, history)
	again, _, err := l.run(t, file)
	first.Events = 0
	if err != nil || again != first {
		t.Errorf("a second run did %+v, %v", again, err)
	}
}

// step is a row of a request's history, or its event.
type step struct {
	At                          time.Time
	Channel, Name, Person, Team string
}

func stepsInFile(t *testing.T, path string) map[string][]step {
	t.Helper()
	rows, err := csv.NewReader(unzipped(t, path)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]step{}
	for _, row := range rows[1:] { // case, seq, activity, at, resource, group, channel, …
		at, err := time.Parse(time.RFC3339, row[3])
		if err != nil {
			t.Fatal(err)
		}
		s := step{At: at.UTC(), Name: row[2], Person: row[4], Team: strings.ReplaceAll(row[5], "EMPTY", "")}
		if len(cases[row[0]]) == 0 {
			s.Name, s.Channel = "filed", row[6]
		}
		cases[row[0]] = append(cases[row[0]], s)
	}
	return cases
}

func stepsInLog(history map[string][]eventstore.Decoded) map[string][]step {
	cases := map[string][]step{}
	for _, events := range history {
		var steps []step
		var reference string
		for _, d := range events {
			switch e := d.Event.(type) {
			case request.Filed:
				reference = e.Reference
				steps = append(steps, step{e.At, e.Channel, "filed", e.Handler.StaffID, e.Handler.Team})
			case request.Triaged:
				steps = append(steps, step{e.At, "", e.Step, e.Handler.StaffID, e.Handler.Team})
			}
		}
		if reference != "" {
			cases[reference] = steps
		}
	}
	return cases
}
