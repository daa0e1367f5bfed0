package whatif

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

var rome = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err)
	}
	return zone
}()

// bill is an invoice of the tests, whose days count from its issue.
type bill struct {
	state  invoice.State
	events []invoice.Event
	ids    int
}

var issuedOn = domain.Date{Year: 2026, Month: time.March, Day: 1}

// on is an hour of a day in Rome.
func on(day, hour int) time.Time {
	return time.Date(issuedOn.Year, issuedOn.Month, issuedOn.Day+day, hour, 0, 0, 0, rome)
}

func (b *bill) do(t testing.TB, c domain.Decider[invoice.State, invoice.Event]) {
	t.Helper()
	events, err := c.Decide(b.state)
	if err != nil {
		t.Fatal(err)
	}
	b.state = domain.Fold(b.state, events...)
	b.events = append(b.events, events...)
}

func (b *bill) id() string {
	b.ids++
	return domaintest.ID(100 + b.ids)
}

func euros(cents int64) money.Money { return money.Money{Amount: cents, Currency: "EUR"} }

func issued(t testing.TB, cents int64, dueAfter int) *bill {
	t.Helper()
	b := &bill{}
	b.do(t, invoice.Draft{
		InvoiceID: domaintest.ID(1), BusinessID: domaintest.ID(2), CustomerID: domaintest.ID(3), Currency: "EUR",
		Lines: []lines.Line{{ID: "1", Description: "Work", Quantity: 1000, UnitPrice: euros(cents)}}, At: on(0, 9),
	})
	b.do(t, invoice.Freeze{IssuedOn: issuedOn, DueOn: plus(issuedOn, dueAfter), At: on(0, 9)})
	b.do(t, invoice.Issue{Number: 1, At: on(0, 9)})
	return b
}

func (b *bill) send(t testing.TB, at time.Time) { t.Helper(); b.do(t, invoice.Send{At: at}) }

func (b *bill) pay(t testing.TB, at time.Time, cents int64) {
	t.Helper()
	b.do(t, invoice.ReceivePayment{PaymentID: b.id(), Amount: euros(cents), At: at})
}

func (b *bill) charge(t testing.TB, at time.Time, cents int64) {
	t.Helper()
	b.do(t, invoice.AddLateFee{ChargeID: b.id(), Description: "Late", Amount: euros(cents), At: at})
}

func checked(t testing.TB, f LateFee) *LateFee {
	t.Helper()
	if f.From == "" {
		f.From = fromDue
	}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	return &f
}

// Each decision of the rule, and what it makes of an invoice of 100.00 due after
// 10 days. The last moment is noon of day 100.
func TestLateFee(t *testing.T) {
	t.Parallel()
	flat := LateFee{GraceDays: 5, Flat: 1500} // at the start of day 16
	tests := map[string]struct {
		rule LateFee
		do   func(*bill)
		want string // fees actual/rule, outstanding actual/rule
	}{
		"never paid":             {flat, func(*bill) {}, "0/1500 10000/11500"},
		"paid in time":           {flat, func(b *bill) { b.pay(t, on(10, 12), 10000) }, "0/0 0/0"},
		"paid within the grace":  {flat, func(b *bill) { b.pay(t, on(15, 23), 10000) }, "0/0 0/0"},
		"paid an hour too late":  {flat, func(b *bill) { b.pay(t, on(16, 1), 10000) }, "0/1500 0/1500"},
		"paid at that moment":    {flat, func(b *bill) { b.pay(t, on(16, 0), 10000) }, "0/1500 0/1500"},
		"paid in part":           {LateFee{GraceDays: 5, Percent: "5"}, func(b *bill) { b.pay(t, on(3, 1), 6000) }, "0/200 4000/4200"},
		"rounded half up":        {LateFee{GraceDays: 5, Percent: "0.05"}, func(b *bill) { b.pay(t, on(3, 1), 9000) }, "0/1 1000/1001"},
		"rounded to nothing":     {LateFee{GraceDays: 5, Percent: "0.04"}, func(b *bill) { b.pay(t, on(3, 1), 9000) }, "0/0 1000/1000"},
		"the fee of then is out": {flat, func(b *bill) { b.charge(t, on(12, 1), 4000) }, "4000/1500 14000/11500"},
		"a surplus without it": {flat, func(b *bill) {
			b.charge(t, on(12, 1), 4000)
			b.pay(t, on(14, 1), 14000)
		}, "4000/0 0/0"},
		"arrived in time, recorded late": {flat, func(b *bill) {
			b.do(t, invoice.SendToCollections{At: on(40, 1)})
			b.pay(t, on(9, 1), 10000)
		}, "0/0 0/0"},
		"from the sending":   {LateFee{GraceDays: 30, From: fromSent, Flat: 1500}, func(b *bill) { b.send(t, on(60, 23)) }, "0/1500 10000/11500"},
		"sent too lately":    {LateFee{GraceDays: 30, From: fromSent, Flat: 1500}, func(b *bill) { b.send(t, on(70, 1)) }, "0/0 10000/10000"},
		"never sent":         {LateFee{From: fromSent, Flat: 1500}, func(*bill) {}, "0/0 10000/10000"},
		"again and again":    {LateFee{GraceDays: 5, Percent: "1", EveryDays: 30}, func(*bill) {}, "0/300 10000/10300"},
		"until it is paid":   {LateFee{GraceDays: 5, Flat: 100, EveryDays: 30}, func(b *bill) { b.pay(t, on(50, 1), 10000) }, "0/200 0/200"},
		"up to a cap":        {LateFee{GraceDays: 5, Flat: 400, EveryDays: 10, Cap: 1000}, func(*bill) {}, "0/1000 10000/11000"},
		"void by then":       {flat, func(b *bill) { b.do(t, invoice.Void{Reason: "A mistake", At: on(12, 1)}) }, "0/0 0/0"},
		"void afterwards":    {flat, func(b *bill) { b.do(t, invoice.Void{Reason: "A mistake", At: on(20, 1)}) }, "0/0 0/0"},
		"credited in part":   {LateFee{GraceDays: 5, Percent: "10"}, func(b *bill) { b.credit(t, on(4, 1), 4000) }, "0/600 6000/6600"},
		"no more than that":  {flat, func(b *bill) { b.charge(t, on(12, 1), 500); b.credit(t, on(13, 1), 10500) }, "500/0 0/0"},
		"not due before now": {LateFee{GraceDays: 90, Flat: 1500}, func(*bill) {}, "0/0 10000/10000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := issued(t, 10000, 10)
			test.do(b)
			f, err := compare(checked(t, test.rule), b.events, rome, on(100, 12))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%d/%d %d/%d", f.LateFees.Actual, f.LateFees.Rule, f.Outstanding.Actual, f.Outstanding.Rule)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func (b *bill) credit(t testing.TB, at time.Time, cents int64) {
	t.Helper()
	b.do(t, invoice.IssueCreditNote{CreditNoteID: b.id(), Amount: euros(cents), Reason: "Kindness", At: at})
}

// An invoice that is late when it is issued is charged once, at its issue.
func TestLateAtItsIssue(t *testing.T) {
	t.Parallel()
	b := issued(t, 10000, 0)
	for i, e := range b.events {
		if e, is := e.(invoice.Issued); is {
			e.At = on(50, 12)
			b.events[i] = e
		}
	}
	b.send(t, on(50, 12))
	for _, every := range []int{0, 7} {
		s, err := replay(checked(t, LateFee{Flat: 100, EveryDays: every}), b.events, rome, on(50, 13))
		if err != nil || len(s.Charges) != 1 || s.Balance() != euros(10100) {
			t.Errorf("every %d days: %v, %+v", every, err, s.Charges)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	for flag, wrong := range map[string]LateFee{
		"--percent, --flat": {From: fromDue},
		"--percent":         {From: fromDue, Percent: "5.001"},
		"--flat":            {From: fromDue, Flat: -1},
		"--grace-days":      {From: fromDue, Flat: 1, GraceDays: -1},
		"--from":            {From: "issue", Flat: 1},
		"--every-days":      {From: fromDue, Flat: 1, EveryDays: -1},
		"--cap":             {From: fromDue, Flat: 1, Cap: -1},
	} {
		if err := wrong.Check(); err == nil || !strings.HasPrefix(err.Error(), flag+":") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	for text, want := range map[string]money.Rate{"5": 50_000, "5.00": 50_000, "0.01": 100, "100": 1_000_000, "12.5": 125_000} {
		if got, err := parsePercent(text); got != want || err != nil {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "0.00", "100.01", "-5", "+5", ".5", "1e2", "5 ", "1000", "5.123"} {
		if got, err := parsePercent(text); err == nil {
			t.Errorf("%s is taken for %d", text, got)
		}
	}
}

// Every event says when it was.
func TestEveryEventHasItsMoment(t *testing.T) {
	t.Parallel()
	for name, e := range invoice.Types {
		if !at(e).IsZero() {
			t.Errorf("%s was at %s", name, at(e))
		}
	}
}

// lived is an invoice in whose life a rule was in force: somebody looked at it
// every midnight.
type lived struct {
	*bill
	rule    *LateFee
	last    time.Time
	charged int64
	fees    int
}

func drawLife(t *rapid.T, tb testing.TB) *lived {
	rule := LateFee{
		GraceDays: rapid.IntRange(0, 40).Draw(t, "grace"), From: rapid.SampledFrom([]string{fromDue, fromSent}).Draw(t, "from"),
		EveryDays: rapid.SampledFrom([]int{0, 0, 1, 7, 30}).Draw(t, "every"), Cap: rapid.SampledFrom([]int64{0, 0, 777}).Draw(t, "cap"),
	}
	points := rapid.Int64Range(1, 3000).Draw(t, "points")
	if rapid.Bool().Draw(t, "flat") {
		rule.Flat = points
	} else {
		rule.Percent = fmt.Sprintf("%d.%02d", points/100, points%100)
	}
	due := rapid.IntRange(0, 40).Draw(t, "due")
	l := &lived{bill: issued(tb, rapid.Int64Range(1, 20_000).Draw(t, "total"), due), rule: checked(tb, rule)}
	sent := rapid.IntRange(0, 60).Draw(t, "sent")
	payments := rapid.MapOfN(rapid.IntRange(0, 149), rapid.Int64Range(1, 20_000), 0, 4).Draw(t, "payments")
	credits := rapid.MapOfN(rapid.IntRange(0, 149), rapid.Int64Range(1, 5_000), 0, 2).Draw(t, "credits")
	from := due
	if rule.From == fromSent {
		from = sent
	}
	for day := range 150 {
		if late := day - from - rule.GraceDays - 1; late == 0 || late > 0 && rule.EveryDays > 0 && late%rule.EveryDays == 0 {
			l.midnight(tb, day, points)
		}
		if day == sent {
			l.send(tb, on(day, 10))
		}
		if cents, does := payments[day]; does {
			l.pay(tb, on(day, 11), cents)
		}
		if cents := min(credits[day], l.state.Billed.Amount); cents > 0 {
			l.credit(tb, on(day, 12), cents)
		}
	}
	l.last = on(149, 13)
	return l
}

func (l *lived) midnight(tb testing.TB, day int, points int64) {
	owed := l.state.Balance().Amount - l.charged
	if owed <= 0 || l.fees == mostFees {
		return
	}
	fee := points
	if l.rule.Flat == 0 {
		fee = (owed*points + 5_000) / 10_000
	}
	if l.rule.Cap > 0 {
		fee = min(fee, l.rule.Cap-l.charged)
	}
	if fee > 0 {
		l.charge(tb, on(day, 0), fee)
		l.charged += fee
		l.fees++
	}
}

// A rule equal to what happened makes no difference; another makes one wherever
// there were fees. Whatever the rule, nothing is lost between the sums.
func TestTheRuleOfThenMakesNoDifference(t *testing.T) {
	t.Parallel()
	charged := 0
	rapid.Check(t, func(r *rapid.T) {
		l := drawLife(r, t)
		f, err := compare(l.rule, l.events, rome, l.last)
		if err != nil || f.differ() || f.LateFees.Actual != l.charged {
			r.Fatalf("%+v of %d charged, %v\n%+v\n%+v", f, l.charged, err, *l.rule, l.events)
		}
		none := LateFee{From: fromDue, GraceDays: mostDays, Flat: 1}
		if f, err = compare(checked(t, none), l.events, rome, l.last); err != nil || f.LateFees.Rule != 0 || f.LateFees.Difference != -l.charged {
			r.Fatalf("without a rule: %+v, %v", f, err)
		}
		if l.fees > 0 {
			charged++
		}
		other := drawLife(r, t)
		s, err := replay(other.rule, l.events, rome, l.last)
		if err != nil || s.Balance().Amount < 0 || s.Credit.Amount < 0 || s.Paid != l.state.Paid ||
			s.Balance() != s.Billed.Minus(s.Paid).Plus(s.Credit) {
			r.Fatalf("under another rule: %+v, %v", s, err)
		}
	})
	if charged == 0 {
		t.Error("no history had a fee")
	}
}
