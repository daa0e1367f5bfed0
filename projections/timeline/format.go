package timeline

import (
	"strconv"
	"strings"
	"time"

	"portal.example/domain/money"
	"portal.example/eventstore"
)

// moment is when it happened. What a history says happened at the beginning of
// a day only says on which day.
func (s sentence) moment(at time.Time) string {
	local := at.In(s.zone)
	hour, minute, second := local.Clock()
	if s.Origin == string(eventstore.OriginImport) && hour == 0 && minute == 0 && second == 0 {
		return s.date(local)
	}
	return s.language.moment(local)
}

// zoneOf labels a local time: CDT, JST; and UTC-03:00 where the zone's name is
// no more than a number.
func zoneOf(t time.Time) string {
	if name := t.Format("MST"); strings.Trim(name, "+-0123456789") != "" {
		return name
	}
	return t.Format("UTC-07:00")
}

func (s sentence) money(m *money.Money) string {
	if m == nil {
		return ""
	}
	return s.amount(*m)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
