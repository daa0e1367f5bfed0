package whatif

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
)

// LateFee charges for lateness: a part of what is still owed or a flat amount, at
// the start of the day after a time of grace, in the business's time zone, and if
// that is wanted again every so many days.
type LateFee struct {
	GraceDays int    `json:"graceDays"`
	From      string `json:"from"`              // what grace is counted from: due or sent
	Percent   string `json:"percent,omitempty"` // of what is owed without late fees, such as 5.00; empty for none
	Flat      int64  `json:"flat,omitempty"`    // minor units; 0 for none
	EveryDays int    `json:"everyDays"`         // 0: once
	Cap       int64  `json:"cap,omitempty"`     // of all late fees of an invoice, minor units; 0 for none

	rate money.Rate
}

const (
	fromDue  = "due"
	fromSent = "sent"

	mostDays = 3650

	// mostFees is how many charges the portal takes for an invoice.
	mostFees = 100
)

// Name implements Policy.
func (*LateFee) Name() string { return "late-fee" }

// Short implements Policy.
func (*LateFee) Short() string { return "Replay history under another late fee" }

// Long implements Policy.
func (*LateFee) Long() string {
	return `The rule: an invoice of which something is owed, not counting late fees, at the start
of the day after the days of grace is charged --percent of that or --flat, once, or
again every --every-days while it is owed, up to --cap in all. Days are those of the
business's time zone. A payment counts from when the money arrived.`
}

// Flags implements Policy.
func (f *LateFee) Flags(set *flag.FlagSet) {
	set.IntVar(&f.GraceDays, "grace-days", 0, "days that pass without a fee")
	set.StringVar(&f.From, "from", fromDue, "what they are counted from: due, the last day to pay, or sent, the day of sending")
	set.StringVar(&f.Percent, "percent", "", "the fee in percent of what is owed, such as 5.00")
	set.Int64Var(&f.Flat, "flat", 0, "or the fee in minor units")
	set.IntVar(&f.EveryDays, "every-days", 0, "charge again every so many days; 0 for once")
	set.Int64Var(&f.Cap, "cap", 0, "late fees of an invoice at most, in minor units; 0 for no bound")
}

// Check implements Policy.
func (f *LateFee) Check() (err error) {
	switch {
	case f.GraceDays < 0 || f.GraceDays > mostDays:
		return fmt.Errorf("--grace-days: must be from 0 to %d", mostDays)
	case f.From != fromDue && f.From != fromSent:
		return fmt.Errorf("--from: must be %s or %s, not %.40q", fromDue, fromSent, f.From)
	case (f.Percent == "") == (f.Flat == 0):
		return errors.New("--percent, --flat: name one of them")
	case f.Flat < 0 || f.Flat > money.MaxEntry:
		return fmt.Errorf("--flat: must be from 1 to %d minor units", int64(money.MaxEntry))
	case f.EveryDays < 0 || f.EveryDays > mostDays:
		return fmt.Errorf("--every-days: must be from 0 to %d", mostDays)
	case f.Cap < 0 || f.Cap > money.MaxEntry:
		return fmt.Errorf("--cap: must be from 0 to %d minor units", int64(money.MaxEntry))
	}
	f.rate, err = parsePercent(f.Percent)
	return err
}

// basisPoint is a hundredth of a percent.
const basisPoint = money.MaxRate / 10_000

func parsePercent(text string) (money.Rate, error) {
	if text == "" {
		return 0, nil
	}
	wrong := errors.New("--percent: must be from 0.01 to 100, with two decimals at most")
	whole, decimals, _ := strings.Cut(text, ".")
	if len(whole) == 0 || len(whole) > 3 || len(decimals) > 2 {
		return 0, wrong
	}
	points, err := strconv.ParseUint(whole+decimals+strings.Repeat("0", 2-len(decimals)), 10, 32)
	if err != nil || points < 1 || points > 10_000 {
		return 0, wrong
	}
	return money.Rate(points) * basisPoint, nil
}

// Replaces implements Policy.
func (*LateFee) Replaces(e invoice.Event) bool {
	_, is := e.(invoice.LateFeeAdded)
	return is
}

// Next implements Policy.
func (f *LateFee) Next(s *Standing, after, until time.Time) (invoice.Event, bool, error) {
	if s.Status != invoice.StatusIssued {
		return nil, false, nil
	}
	charged, times := lateFees(s.State)
	owed := s.Balance().Amount - charged
	if owed <= 0 || times >= mostFees || f.EveryDays == 0 && times > 0 {
		return nil, false, nil
	}
	at, ok := f.strikes(s, after, until)
	if !ok {
		return nil, false, nil
	}
	fee := money.Money{Amount: f.Flat, Currency: s.Currency}
	if f.rate > 0 {
		var err error
		if fee, err = f.rate.Of(money.Money{Amount: owed, Currency: s.Currency}); err != nil {
			return nil, false, err
		}
	}
	if f.Cap > 0 {
		fee.Amount = min(fee.Amount, f.Cap-charged)
	}
	if fee.Amount <= 0 {
		return nil, false, nil
	}
	return invoice.LateFeeAdded{
		CustomerID: s.CustomerID, ChargeID: fmt.Sprintf("%s %d", f.Name(), times+1), Amount: fee, At: at,
	}, true, nil
}

// strikes is the first moment after one and not after another at which the rule
// looks at an invoice. What is late when it is issued is looked at then.
func (f *LateFee) strikes(s *Standing, after, until time.Time) (time.Time, bool) {
	from := s.DueOn
	if f.From == fromSent {
		if s.SentAt.IsZero() {
			return time.Time{}, false
		}
		from = domain.DateOf(s.SentAt, s.Zone)
	}
	days := f.GraceDays + 1
	if f.EveryDays > 0 { // where looks before are nothing to this one
		past := int(after.Sub(plus(from, days).Start(s.Zone)).Hours()/24) - 1
		days += max(0, past/f.EveryDays) * f.EveryDays
	}
	for {
		at := plus(from, days).Start(s.Zone)
		if at.Before(s.IssuedAt) {
			at = s.IssuedAt
		}
		switch {
		case at.After(until):
			return at, false
		case at.After(after):
			return at, true
		case f.EveryDays == 0:
			return at, false
		}
		days += f.EveryDays
	}
}

func plus(d domain.Date, days int) domain.Date {
	return domain.DateOf(time.Date(d.Year, d.Month, d.Day+days, 0, 0, 0, 0, time.UTC), time.UTC)
}

// lateFees are the sum and the number of an invoice's late fees.
func lateFees(s invoice.State) (sum int64, times int) {
	for _, c := range s.Charges {
		if c.Kind == invoice.LateFee {
			sum += c.Amount.Amount
			times++
		}
	}
	return sum, times
}
