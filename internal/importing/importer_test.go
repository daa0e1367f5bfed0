package importing_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain/account"
	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/internal/demo"
	"portal.example/internal/importing"
)

func smallFines(t *testing.T) importing.File {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "fines.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := importing.Read(f, importing.Fines)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// invoiceOf finds the stream that came of a case.
func invoiceOf(t *testing.T, history map[string][]eventstore.Decoded, caseID string) []eventstore.Decoded {
	t.Helper()
	for _, events := range history {
		if e, is := events[0].Event.(invoice.Drafted); is && e.Reference == caseID {
			return events
		}
	}
	t.Fatalf("there is no invoice of case %s", caseID)
	return nil
}

func TestWhatTheRowsMean(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sum, refusals, err := l.run(t, smallFines(t))
	if err != nil {
		t.Fatal(err)
	}
	wantRefused := map[int]string{
		10: "amount: must be more than zero",
		11: "nothing is left to be paid",
		19: `date: "2019-02-30" is no date like 2006-01-02`,
		20: "there is no such invoice",
		21: "lines: must come to more than zero",
		22: `paid_cents: has no meaning with "Create Fine"`,
		23: "seq: must be the row's place in its case, from 0",
		24: `activity: "Tow the Car" is no activity of a fine`,
		25: "paid_cents: must be a whole number of minor units",
	}
	refused := map[int]string{}
	for _, r := range refusals {
		refused[r.Row.Line] = r.Reason.Error()
	}
	if diff := cmp.Diff(wantRefused, refused); diff != "" {
		t.Errorf("refused rows (-want +got):\n%s", diff)
	}
	if sum.Read != 24 || sum.Imported != 24-len(refused) {
		t.Errorf("imported %+v", sum)
	}

	history := l.history(t)
	late := fold[invoice.State, invoice.Event](invoiceOf(t, history, "T1"))
	got := []int64{late.Total.Amount, late.Billed.Amount, late.Paid.Amount, late.Balance().Amount}
	if diff := cmp.Diff([]int64{3000, 7000, 2500, 4500}, got); diff != "" || !late.Sent || !late.Delivered || !late.InCollections {
		t.Errorf("T1 is %+v", late)
	}
	over := fold[invoice.State, invoice.Event](invoiceOf(t, history, "T2"))
	credit := fold[account.State, account.Event](history[account.Stream(over.CustomerID)])
	if over.Credit.Amount != 500 || credit.Balance("EUR").Amount != 500 {
		t.Errorf("T2's surplus is %v, its account has %v", over.Credit, credit.Balances)
	}
	disputed := fold[invoice.State, invoice.Event](invoiceOf(t, history, "T3"))
	for i, d := range disputed.Disputes {
		disputed.Disputes[i].ID = d.ID[:0]
	}
	if diff := cmp.Diff([]invoice.Dispute{
		{Forum: invoice.BeforeAuthority, Opened: true, Answered: true, Decided: true, Outcome: invoice.Unstated, Notified: true},
		{Forum: invoice.BeforeCourt, Opened: true},
	}, disputed.Disputes); diff != "" {
		t.Errorf("T3's disputes (-want +got):\n%s", diff)
	}
	// The clocks changed on 2019-03-31 in Rome: midnight was still at +01:00.
	for caseID, want := range map[string]string{"T1": "2019-03-29T23:00:00Z", "T2": "2019-03-30T23:00:00Z", "T3": "2019-04-30T22:00:00Z"} {
		if got := invoiceOf(t, history, caseID)[0].Metadata.OccurredAt.Format(time.RFC3339); got != want {
			t.Errorf("%s occurred at %s, want %s", caseID, got, want)
		}
	}
}

func TestARowThatHasChangedIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	file := smallFines(t)
	first, _, err := l.run(t, file)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(file.Cases, func(c importing.Case) bool { return c.ID == "T1" })
	file.Cases[i].Rows[1].Fields[5] = "1100"
	second, refusals, err := l.run(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if second.Events != 0 || second.Refused != first.Refused+1 {
		t.Errorf("the second run did %+v after %+v", second, first)
	}
	if !slices.ContainsFunc(refusals, func(r importing.Refusal) bool {
		return r.Row.Line == 3 && strings.Contains(r.Reason.Error(), "something else has been imported")
	}) {
		t.Errorf("refused %v", refusals)
	}
}

// A piece of the demo's history goes in without a single refusal, and twice
// changes nothing. The whole of it is what `make run` imports.
func TestTheDemoGoesIn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h := demo.New(1, now())
	h.Invoices.Cases = h.Invoices.Cases[:150]
	h.Requests.Cases = h.Requests.Cases[:50]
	h.Quotes.Cases = h.Quotes.Cases[:50]
	for _, file := range []importing.File{h.Invoices, h.Requests, h.Quotes} {
		for again := range 2 {
			l.open(t, func(client *eventstore.Client) {
				importer := &importing.Importer{
					Log: client, Codec: l.codec, Secret: []byte("secret"), Now: now, Business: l.business, About: h.About,
				}
				sum, refusals, err := importer.Run(t.Context(), file)
				if err != nil || len(refusals) > 0 || (sum.Events > 0) != (again == 0) {
					t.Errorf("run %d: %+v, %v, %v", again, sum, refusals, err)
				}
			})
		}
	}
}
