package demo

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// longest is the longest that a step can take.
func longest(step rune) time.Duration {
	delays := quoteDelays[step]
	return time.Duration(slices.Max(delays[:])+1) * time.Minute
}

func TestNoQuoteIsAnsweredAfterItExpired(t *testing.T) {
	t.Parallel()
	for _, c := range quoteCourses {
		var open time.Duration
		for i, step := range c.steps {
			switch {
			case i == 0:
			case step == revise:
				open = 0
			default:
				open += longest(step)
			}
		}
		if open > staysOpen {
			t.Errorf("%s can take %v, and the offer stays open for %v", c.steps, open, staysOpen)
		}
	}
}

func TestQuotesShowEveryStageOfTheFunnel(t *testing.T) {
	t.Parallel()
	total := 0
	for _, c := range quoteCourses {
		total += c.count
	}
	if total != 1000 {
		t.Errorf("the courses are of %d quotes", total)
	}
	seen := map[string]int{}
	superseded, expired := 0, 0
	for _, c := range New(1, until).Quotes.Cases {
		sent := 0
		expires := ""
		for _, row := range c.Rows {
			activity := row.Fields[2]
			if activity == quoteActivities[give] {
				sent++
			}
			if row.Fields[5] != "" {
				expires = row.Fields[5]
			}
			seen[activity]++
		}
		if sent > 1 {
			superseded++
		}
		last := c.Rows[len(c.Rows)-1].Fields[2]
		if (last == quoteActivities[view] || last == quoteActivities[give]) && expires < until.Format(time.RFC3339) {
			expired++
		}
	}
	for _, activity := range slices.Sorted(maps.Values(quoteActivities)) {
		if seen[activity] < 20 {
			t.Errorf("%d rows say %s", seen[activity], activity)
		}
	}
	if superseded < 50 || expired < 100 {
		t.Errorf("%d quotes have a version that was superseded, %d have expired", superseded, expired)
	}
}
