package invoice_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

func draft(change func(*invoice.Draft)) invoice.Draft {
	c := invoice.Draft(drafted())
	change(&c)
	return c
}

func TestDraft(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "an invoice", When: draft(func(*invoice.Draft) {}), Then: events{drafted()}},
		{Name: "twice", Given: events{drafted()}, When: draft(func(*invoice.Draft) {}), Refused: invoice.ErrExists},
		{
			Name: "with nothing right",
			When: invoice.Draft{PropertyID: "p", UnitID: "u", QuoteID: "q", Reference: "a\nb", Note: "\x00"},
			Faults: []string{
				"invoiceId: not_an_id", "businessId: not_an_id", "customerId: not_an_id",
				"propertyId: not_an_id", "unitId: not_an_id", "quoteId: not_an_id", "reference: control_character",
				"currency: unknown_currency", "lines: count", "note: control_character", "at: not_a_time",
			},
		},
		{
			Name: "with an optional line",
			When: draft(func(c *invoice.Draft) {
				c.Lines = []lines.Line{item(1), item(2)}
				c.Lines[1].ID = "b"
				c.Lines[1].Optional = true
			}),
			Faults: []string{"lines[1].optional: optional"},
		},
		{
			Name:   "in yen with a line in euros",
			When:   draft(func(c *invoice.Draft) { c.Currency = "JPY" }),
			Faults: []string{"lines[0].unitPrice: currency_mismatch"},
		},
	})
}

func TestRevise(t *testing.T) {
	t.Parallel()
	revise := invoice.Revise{Lines: []lines.Line{item(6000)}, Note: "Thanks.", At: at}
	revised := invoice.Revised{CustomerID: customer, Lines: []lines.Line{item(6000)}, Note: "Thanks.", At: at}
	domaintest.Run(t, []decision{
		{Name: "a draft", Given: events{drafted()}, When: revise, Then: events{revised}},
		{Name: "to what it says", Given: events{drafted(), revised}, When: revise},
		{Name: "what is frozen", Given: events{drafted(), frozen()}, When: revise, Refused: invoice.ErrFrozen},
		{Name: "what is issued", Given: inForce(), When: revise, Refused: invoice.ErrFrozen},
		{Name: "what is void", Given: events{drafted(), voided()}, When: revise, Refused: invoice.ErrVoid},
		{Name: "nothing", When: revise, Refused: invoice.ErrNotFound},
		{Name: "to nothing", Given: events{drafted()}, When: invoice.Revise{At: at}, Faults: []string{"lines: count"}},
		{
			Name: "what somebody else has revised", Given: events{drafted(), revised},
			When: domain.IfMatch(1, revise), Refused: domain.ErrVersion,
		},
	})
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	freeze := invoice.Freeze{IssuedOn: issuedOn, DueOn: dueOn, At: at}
	free := drafted()
	free.Lines = []lines.Line{item(0)}
	huge := drafted()
	huge.Lines = []lines.Line{item(money.MaxEntry)}
	huge.Lines[0].Quantity = money.MaxQuantity
	domaintest.Run(t, []decision{
		{Name: "a draft", Given: events{drafted()}, When: freeze, Then: events{frozen()}},
		{Name: "again", Given: events{drafted(), frozen()}, When: freeze},
		{Name: "after the issue", Given: inForce(), When: freeze},
		{
			Name: "with other dates", Given: events{drafted(), frozen()},
			When: invoice.Freeze{IssuedOn: issuedOn, DueOn: issuedOn, At: at}, Refused: invoice.ErrFrozen,
		},
		{Name: "what is void", Given: events{drafted(), voided()}, When: freeze, Refused: invoice.ErrVoid},
		{Name: "nothing", When: freeze, Refused: invoice.ErrNotFound},
		{Name: "what comes to nothing", Given: events{free}, When: freeze, Faults: []string{"lines: not_positive"}},
		{Name: "what comes to too much", Given: events{huge}, When: freeze, Faults: []string{"lines: amount_too_large"}},
		{
			Name: "due on the day of issue", Given: events{drafted()}, When: invoice.Freeze{IssuedOn: issuedOn, DueOn: issuedOn, At: at},
			Then: events{invoice.Frozen{CustomerID: customer, IssuedOn: issuedOn, DueOn: issuedOn, Total: euros(12200), At: at}},
		},
		{
			Name: "due before it is issued", Given: events{drafted()}, When: invoice.Freeze{IssuedOn: dueOn, DueOn: issuedOn, At: at},
			Faults: []string{"dueOn: before_issue"},
		},
		{
			Name: "without dates", Given: events{drafted()}, When: invoice.Freeze{At: at},
			Faults: []string{"issuedOn: not_a_date", "dueOn: not_a_date"},
		},
	})
}

func TestIssue(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "what is frozen", Given: events{drafted(), frozen()}, When: invoice.Issue{Number: 17, At: at}, Then: events{issued()}},
		{Name: "again", Given: inForce(), When: invoice.Issue{Number: 17, At: at}},
		{Name: "under another number", Given: inForce(), When: invoice.Issue{Number: 18, At: at}, Refused: invoice.ErrNumbered},
		{Name: "a draft", Given: events{drafted()}, When: invoice.Issue{Number: 17, At: at}, Refused: invoice.ErrNotFrozen},
		{Name: "under no number", Given: events{drafted(), frozen()}, When: invoice.Issue{At: at}, Faults: []string{"number: not_a_number"}},
		{Name: "nothing", When: invoice.Issue{Number: 17, At: at}, Refused: invoice.ErrNotFound},
	})
}

func TestSendAndDelivery(t *testing.T) {
	t.Parallel()
	send, confirm := invoice.Send{At: at}, invoice.ConfirmDelivery{At: at}
	domaintest.Run(t, []decision{
		{Name: "send", Given: inForce(), When: send, Then: events{sent()}},
		{Name: "send again", Given: inForce(sent()), When: send, Then: events{sent()}},
		{Name: "send what is frozen", Given: events{drafted(), frozen()}, When: send, Refused: invoice.ErrNotIssued},
		{Name: "send what is void", Given: inForce(voided()), When: send, Refused: invoice.ErrVoid},
		{Name: "send nothing", When: send, Refused: invoice.ErrNotFound},
		{Name: "confirm", Given: inForce(sent()), When: confirm, Then: events{delivered()}},
		{Name: "confirm again", Given: inForce(sent(), delivered()), When: confirm},
		{Name: "confirm what was not sent", Given: inForce(), When: confirm, Refused: invoice.ErrNotSent},
		{Name: "confirm a draft", Given: events{drafted()}, When: confirm, Refused: invoice.ErrNotIssued},
	})
}

func TestView(t *testing.T) {
	t.Parallel()
	view := func(by domain.Actor, after time.Duration) invoice.View {
		return invoice.View{Visit: domaintest.Visit(by, at.Add(after))}
	}
	first, halfPaid := viewed(t, inForce()), viewed(t, inForce(paid(10, 5000, 0)))
	byStaff := invoice.ViewedByStaff{
		CustomerID: customer, StaffID: domaintest.Sam.ID, Session: "session-of-staff", Version: 1, At: at,
	}
	domaintest.Run(t, []decision{
		{Name: "by a contact", Given: inForce(), When: view(domaintest.Dana, 0), Then: events{first}},
		{Name: "again within ten minutes", Given: inForce(first), When: view(domaintest.Dana, 10*time.Minute)},
		{Name: "again although it was sent meanwhile", Given: inForce(first, sent()), When: view(domaintest.Dana, time.Minute)},
		{Name: "with another balance", Given: inForce(first, paid(10, 5000, 0)), When: view(domaintest.Dana, 0), Then: events{halfPaid}},
		{Name: "of a draft by staff", Given: events{drafted()}, When: view(domaintest.Sam, 0), Then: events{byStaff}},
		{Name: "of a draft by a contact", Given: events{drafted()}, When: view(domaintest.Dana, 0), Refused: invoice.ErrNotFound},
		{Name: "of a draft by staff as a contact", Given: events{drafted()}, When: view(domaintest.AsDana, 0), Refused: invoice.ErrNotFound},
		{Name: "by a program", Given: inForce(), When: view(domaintest.Robot, 0)},
		{Name: "of a draft by a program", Given: events{drafted()}, When: view(domaintest.Robot, 0)},
		{
			Name: "by staff as a contact", Given: inForce(), When: view(domaintest.AsDana, 0),
			Then: events{invoice.ViewedByStaff{
				CustomerID: customer, StaffID: domaintest.Sam.ID, ActingFor: dana,
				Session: "session-of-staff-as-contact", Version: 3, At: at,
			}},
		},
		{Name: "of what is void", Given: inForce(voided()), When: view(domaintest.Dana, 0), Then: events{viewed(t, inForce(voided()))}},
		{Name: "of nothing", When: view(domaintest.Sam, 0), Refused: invoice.ErrNotFound},
		{Name: "by nobody", Given: inForce(), When: view(domain.Actor{Kind: domain.Contact}, 0), Faults: []string{"actor: required"}},
	})
}

// What is hashed is storage: a view of years ago must still be found to match.
func TestShown(t *testing.T) {
	t.Parallel()
	given := inForce(expense(20, 1100), paid(10, 5000, 0), creditNote(30, 100, 0))
	shown, err := domain.Fold(invoice.State{}, given...).Shown()
	if err != nil {
		t.Fatal(err)
	}
	got, err := domain.Canonical(shown)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"balance":{"amount":8200,"currency":"EUR"},"billed":{"amount":13200,"currency":"EUR"},` +
		`"charges":[{"amount":{"amount":1100,"currency":"EUR"},"description":"Postage","id":"00000000-0000-8000-8000-000000000020","kind":"expense"}],` +
		`"credit":{"amount":0,"currency":"EUR"},` +
		`"creditNotes":[{"amount":{"amount":100,"currency":"EUR"},"id":"00000000-0000-8000-8000-000000000030"}],` +
		`"currency":"EUR","dueOn":"2026-04-13","invoiceId":"00000000-0000-8000-8000-000000000001","issuedOn":"2026-03-14",` +
		`"lines":[{"description":"Work","id":"work","net":{"amount":10000,"currency":"EUR"},"quantity":2000,"taxRate":220000,"unitPrice":{"amount":5000,"currency":"EUR"}}],` +
		`"note":"Thank you.","number":17,"paid":{"amount":5000,"currency":"EUR"},` +
		`"payments":[{"allocated":{"amount":5000,"currency":"EUR"},"at":"2026-03-14T12:00:00Z","id":"00000000-0000-8000-8000-000000000010","received":{"amount":5000,"currency":"EUR"}}],` +
		`"reference":"A100","schema":"invoice/1",` +
		`"totals":{"gross":{"amount":12200,"currency":"EUR"},"net":{"amount":10000,"currency":"EUR"},` +
		`"taxes":[{"amount":{"amount":2200,"currency":"EUR"},"net":{"amount":10000,"currency":"EUR"},"rate":220000}]},` +
		`"version":6,"void":false}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	dayAfter := domain.Date{Year: 2026, Month: time.April, Day: 14}
	tests := map[string]struct {
		given events
		today domain.Date
		want  bool
	}{
		"on the last day":    {inForce(), dueOn, false},
		"the day after":      {inForce(), dayAfter, true},
		"when paid":          {inForce(paid(10, 12200, 0)), dayAfter, false},
		"when partly paid":   {inForce(paid(10, 12199, 0)), dayAfter, true},
		"when void":          {inForce(voided()), dayAfter, false},
		"when not yet there": {events{drafted(), frozen()}, dayAfter, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := domain.Fold(invoice.State{}, test.given...).Overdue(test.today); got != test.want {
				t.Errorf("overdue: %t, want %t", got, test.want)
			}
		})
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	got := domain.Fold(invoice.State{}, inForce(
		sent(), delivered(), expense(20, 1100), lateFee(21, 3650), paid(10, 16950, 50), creditNote(30, 100, 100),
		invoice.SentToCollections{CustomerID: customer, At: at},
		opened(40, invoice.BeforeCourt), decided(invoice.BeforeCourt, invoice.Upheld), notified(invoice.BeforeCourt),
	)...)
	want := invoice.State{
		ID: id, BusinessID: domaintest.ID(3), CustomerID: customer,
		Place:   domain.Place{PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5)},
		QuoteID: domaintest.ID(6), Reference: "A100", Currency: "EUR",
		Status: invoice.StatusIssued, Number: 17, IssuedOn: issuedOn, DueOn: dueOn, Total: euros(12200),
		Lines: []lines.Line{item(5000)}, Note: "Thank you.",
		Charges: []invoice.Charge{
			{ID: domaintest.ID(20), Kind: invoice.Expense, Description: "Postage", Amount: euros(1100)},
			{ID: domaintest.ID(21), Kind: invoice.LateFee, Description: "Late", Amount: euros(3650)},
		},
		Payments:    []invoice.Payment{{ID: domaintest.ID(10), Received: euros(17000), Allocated: euros(16950), At: at}},
		CreditNotes: []invoice.CreditNote{{ID: domaintest.ID(30), Amount: euros(100)}},
		Billed:      euros(16850), Paid: euros(17000), Credit: euros(150),
		Sent: true, Delivered: true, InCollections: true,
		Disputes: []invoice.Dispute{{
			ID: dispute, Forum: invoice.BeforeCourt, Opened: true, Decided: true, Outcome: invoice.Upheld, Notified: true,
		}},
		Version: 7,
	}
	if diff := cmp.Diff(want, got); diff != "" || got.DocumentVersion() != 7 || got.Balance().Amount != 0 {
		t.Errorf("balance %s (-want +got):\n%s", got.Balance(), diff)
	}
}
