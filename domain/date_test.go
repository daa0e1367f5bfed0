package domain_test

import (
	"encoding/json"
	"testing"
	"time"
	_ "time/tzdata" // so that the zones are there on any machine

	"pgregory.net/rapid"

	"portal.example/domain"
)

func TestStartOfDay(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ date, zone, want string }{
		"winter":                   {"2026-01-15", "Europe/Rome", "2026-01-14T23:00:00Z"},
		"summer":                   {"2026-07-15", "Europe/Rome", "2026-07-14T22:00:00Z"},
		"clocks forward at two":    {"2026-03-29", "Europe/Rome", "2026-03-28T23:00:00Z"},
		"clocks forward at twelve": {"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"}, // no midnight that day
		"the same in the east":     {"2021-03-28", "Asia/Beirut", "2021-03-27T22:00:00Z"},
		"midnight struck twice":    {"2026-11-01", "America/Havana", "2026-11-01T04:00:00Z"},
		"twice in the east":        {"2021-10-29", "Asia/Amman", "2021-10-28T21:00:00Z"},
		"a gap around midnight":    {"1919-03-31", "America/Toronto", "1919-03-31T04:30:00Z"},
		"a day that never was":     {"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"}, // from the 29th to the 31st
		"Japan":                    {"2026-01-15", "Asia/Tokyo", "2026-01-14T15:00:00Z"},
		"UTC":                      {"2026-01-15", "UTC", "2026-01-15T00:00:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parseDate(t, test.date).Start(location(t, test.zone)).Format(time.RFC3339Nano)
			if got != test.want {
				t.Errorf("%s starts at %s, want %s", test.date, got, test.want)
			}
		})
	}
}

// A day starts at its first instant and ends a microsecond before the next one,
// also and above all when clocks change.
func TestDaysLeaveNoGap(t *testing.T) {
	t.Parallel()
	zones := []string{
		"UTC", "Europe/Rome", "Asia/Tokyo", "America/Sao_Paulo", "America/Havana", "Asia/Beirut",
		"Australia/Lord_Howe", "Africa/Cairo", "America/Asuncion", "Asia/Gaza", "Asia/Amman", "Pacific/Chatham",
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := location(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		day := time.Date(1990, 1, rapid.IntRange(1, 20_000).Draw(t, "day"), 12, 0, 0, 0, zone)
		if _, change := day.ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "clocks change") {
			day = change
		}
		date := domain.DateOf(day, zone)
		next := domain.DateOf(time.Date(date.Year, date.Month, date.Day+1, 0, 0, 0, 0, time.UTC), time.UTC)

		start := date.Start(zone)
		if domain.DateOf(start, zone) != date || domain.DateOf(start.Add(-1), zone) == date {
			t.Errorf("%s in %s starts at %s", date, zone, start.In(zone))
		}
		end := date.End(zone)
		if !end.Add(time.Microsecond).Equal(next.Start(zone)) || domain.DateOf(end, zone) != date {
			t.Errorf("%s in %s ends at %s", date, zone, end.In(zone))
		}
		if date.Compare(next) >= 0 || next.Compare(date) <= 0 || date.Compare(date) != 0 {
			t.Errorf("%s is not before %s", date, next)
		}
	})
}

func TestDateInJSON(t *testing.T) {
	t.Parallel()
	type holder struct {
		On  domain.Date `json:"on"`
		Off domain.Date `json:"off,omitzero"`
		No  domain.Date `json:"no"`
	}
	in := holder{On: domain.Date{Year: 2026, Month: time.March, Day: 4}}
	encoded, err := json.Marshal(in)
	if err != nil || string(encoded) != `{"on":"2026-03-04","no":""}` {
		t.Fatalf("error %v: %s", err, encoded)
	}
	var out holder
	if err := json.Unmarshal(encoded, &out); err != nil || out != in {
		t.Errorf("error %v: read back %+v", err, out)
	}
	for _, bad := range []string{`{"on":"2026-02-29"}`, `{"on":"04/03/2026"}`, `{"on":20260304}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func parseDate(t *testing.T, text string) domain.Date {
	t.Helper()
	date, err := domain.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return date
}

func location(t interface{ Fatal(...any) }, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
