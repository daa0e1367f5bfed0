package invoice_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// Whatever happens to an invoice and in whatever order: billed - paid + credit
// is what is left, never less than nothing; every payment is allocated or
// surplus to the last cent; sums agree with the events; and what the document
// says changes if and only if its version rises.
func TestTheLedgerAlwaysHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history := inForce()
		if rapid.Bool().Draw(t, "from a draft") {
			history = events{drafted()}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			before := domain.Fold(invoice.State{}, history...)
			happened, err := anyCommand(t).Decide(before)
			if _, refused := errors.AsType[*domain.Error](err); err != nil && !refused {
				t.Fatalf("not a refusal: %v", err)
			}
			history = append(history, happened...)
			after := domain.Fold(before, happened...)
			if other, err := anyCommand(t).Decide(before); err == nil {
				domain.Fold(before, other...) // another's guess at what comes next must not show in after
			}
			if diff := cmp.Diff(domain.Fold(invoice.State{}, history...), after); diff != "" {
				t.Fatalf("folding at once and in pieces differ:\n%s", diff)
			}
			checkVersion(t, before, after)
			checkLedger(t, history, after)
		}
	})
}

func checkVersion(t *rapid.T, before, after invoice.State) {
	was, err := before.Shown()
	if err != nil {
		t.Fatal(err)
	}
	is, err := after.Shown()
	if err != nil {
		t.Fatal(err)
	}
	was.Version = is.Version
	if changed := cmp.Diff(was, is); (changed != "") != (before.Version != after.Version) {
		t.Fatalf("version %d became %d while the document changed so:\n%s", before.Version, after.Version, changed)
	}
}

func checkLedger(t *rapid.T, history events, s invoice.State) {
	var billed, received, allocated, surplus, owedNoMore int64
	for _, event := range history {
		switch e := event.(type) {
		case invoice.Issued:
			billed += e.Total.Amount
		case invoice.ExpenseAdded:
			billed += e.Amount.Amount
		case invoice.LateFeeAdded:
			billed += e.Amount.Amount
		case invoice.CreditNoteIssued:
			billed -= e.Amount.Amount
			owedNoMore += e.Surplus.Amount
		case invoice.Voided:
			billed = 0
		case invoice.PaymentReceived:
			received += e.Received.Amount
			allocated += e.Allocated.Amount
			surplus += e.Surplus.Amount
		case invoice.Drafted, invoice.Revised, invoice.Frozen, invoice.Sent, invoice.DeliveryConfirmed,
			invoice.Viewed, invoice.ViewedByStaff, invoice.SentToCollections, invoice.DisputeOpened,
			invoice.DisputeAnswered, invoice.DisputeDecided, invoice.DisputeOutcomeNotified:
			// moves no money
		}
	}
	want := []int64{billed, received, surplus + owedNoMore, billed - received + surplus + owedNoMore}
	got := []int64{s.Billed.Amount, s.Paid.Amount, s.Credit.Amount, s.Balance().Amount}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("billed, paid, credit, balance (-events +state):\n%s", diff)
	}
	if s.Balance().Amount < 0 || received != allocated+surplus || allocated > received {
		t.Fatalf("balance %s; received %d, allocated %d, surplus %d", s.Balance(), received, allocated, surplus)
	}
}

func anyCommand(t *rapid.T) domain.Decider[invoice.State, invoice.Event] {
	id := domaintest.ID(rapid.IntRange(10, 60).Draw(t, "id"))
	amount := euros(rapid.Int64Range(-1, 20000).Draw(t, "amount"))
	forum := rapid.SampledFrom([]invoice.Forum{
		invoice.BeforeBusiness, invoice.BeforeAuthority, invoice.BeforeCourt,
	}).Draw(t, "forum")
	now := at.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "minutes")) * time.Minute)
	return rapid.SampledFrom([]domain.Decider[invoice.State, invoice.Event]{
		invoice.Revise{Lines: []lines.Line{item(1 + max(amount.Amount, 0))}, At: now},
		invoice.Freeze{IssuedOn: issuedOn, DueOn: dueOn, At: now},
		invoice.Issue{Number: 17, At: now},
		invoice.Send{At: now},
		invoice.ConfirmDelivery{At: now},
		invoice.View{Visit: domaintest.Visit(domaintest.Dana, now)},
		invoice.AddExpense{ChargeID: id, Description: "Postage", Amount: amount, At: now},
		invoice.AddLateFee{ChargeID: id, Description: "Late", Amount: amount, At: now},
		invoice.ReceivePayment{PaymentID: id, Amount: amount, At: now},
		invoice.ReceivePayment{PaymentID: id, Amount: money.Money{Amount: 1, Currency: "JPY"}, At: now},
		invoice.IssueCreditNote{CreditNoteID: id, Amount: amount, Reason: "Half done.", At: now},
		invoice.Void{Reason: "Twice.", At: now},
		invoice.SendToCollections{At: now},
		invoice.OpenDispute{By: domaintest.Sam, DisputeID: id, Forum: forum, At: now},
		invoice.AnswerDispute{DisputeID: id, Forum: forum, Text: "It was.", At: now},
		invoice.DecideDispute{DisputeID: id, Forum: forum, Outcome: invoice.Rejected, At: now},
		invoice.NotifyDisputeOutcome{DisputeID: id, Forum: forum, At: now},
	}).Draw(t, "command")
}

func TestStatesAreApart(t *testing.T) {
	t.Parallel()
	apart := domaintest.Apart[invoice.State, invoice.Event]
	apart(t, inForce(expense(20, 1), expense(21, 1), expense(22, 1)), expense(23, 1), lateFee(24, 1))
	apart(t, inForce(paid(20, 1, 0), paid(21, 1, 0), paid(22, 1, 0)), paid(23, 1, 0), paid(24, 1, 0))
	apart(t, inForce(creditNote(20, 1, 0), creditNote(21, 1, 0), creditNote(22, 1, 0)), creditNote(23, 1, 0), creditNote(24, 1, 0))
	apart(t, inForce(opened(40, "court"), opened(41, "court"), opened(42, "court")), opened(43, "court"), decided("court", invoice.Upheld))
	apart(t, inForce(viewed(t, inForce())), viewed(t, inForce(sent())), viewed(t, inForce(paid(10, 1, 0))))
}
