package domain

import (
	"cmp"
	"fmt"
	"time"
)

// Date is a day of the calendar, in whatever time zone the business keeps. The
// zero Date is no date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day that it is at t in the time zone.
func DateOf(t time.Time, zone *time.Location) Date {
	y, m, d := t.In(zone).Date()
	return Date{Year: y, Month: m, Day: d}
}

// ParseDate reads a date written as 2006-01-02.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, &Error{
			Kind: Invalid, Code: "not_a_date", Message: fmt.Sprintf("%.40q is no date like 2006-01-02", text),
		}
	}
	return DateOf(t, time.UTC), nil
}

// Start is the first instant of the day in the time zone: the first midnight,
// where a change of clocks makes it strike twice, or the end of the gap, where
// one skips it.
func (d Date) Start(zone *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
	since, until := t.ZoneBounds()
	switch {
	case DateOf(t, zone).Compare(d) < 0: // skipped, and t fell before the gap
		t = until
	case !since.IsZero() && DateOf(since.Add(-1), zone) == d: // struck twice, and t is the second
		_, offset := since.Add(-1).Zone()
		t = time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.FixedZone("", offset))
	}
	return t.UTC()
}

// End is the last instant of the day in the time zone, to the microsecond,
// which is as finely as the portal counts.
func (d Date) End(zone *time.Location) time.Time {
	next := time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, time.UTC)
	return DateOf(next, time.UTC).Start(zone).Add(-time.Microsecond)
}

// Compare is negative if d is before e, positive if after, else 0.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Year, e.Year), cmp.Compare(d.Month, e.Month), cmp.Compare(d.Day, e.Day))
}

// String writes the date as 2006-01-02.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// MarshalText makes JSON of a date: "2006-01-02", and "" of no date.
func (d Date) MarshalText() ([]byte, error) {
	if d == (Date{}) {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Date demands a day of the calendar between the years 1900 and 9999.
func (c *Check) Date(field string, d Date) {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
	if d.Year < 1900 || d.Year > 9999 || DateOf(t, time.UTC) != d {
		c.Fail(field, "not_a_date", "must be a date between the years 1900 and 9999")
	}
}
