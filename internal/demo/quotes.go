package demo

import (
	"fmt"
	"strconv"
	"time"
)

// Quotes follow no real history, for there is none: their shares, prices and
// delays are invented, too. As with invoices, a quote's course is a word in
// which each letter is a row.
const (
	draft   = 'D'
	revise  = 'R'
	give    = 'S'
	view    = 'V'
	object  = 'C'
	approve = 'A'
	decline = 'X'
)

var quoteActivities = map[rune]string{
	draft:   "Drafted",
	revise:  "Revised",
	give:    "Sent",
	view:    "Viewed",
	object:  "Changes requested",
	approve: "Approved",
	decline: "Declined",
}

// quoteCourses are how many of a thousand quotes took each course. Those
// without an answer expire in time.
var quoteCourses = []course{
	{"DSVA", 380},
	{"DSVVA", 110},
	{"DSVX", 120},
	{"DSV", 110},
	{"DS", 90},
	{"DSVCRSVA", 70},
	{"DSVCRSVX", 20},
	{"DSVRSVA", 30},
	{"DSRS", 20},
	{"D", 50},
}

// Prices, in cents; what is left of one after a revision, in thousandths.
var (
	offered = quantiles{9000, 12500, 16000, 19500, 24000, 29000, 35000, 42000, 50000, 60000, 72000, 88000, 105000, 130000, 165000, 210000, 280000, 390000, 560000, 850000}
	cheaper = quantiles{800, 840, 860, 880, 900, 900, 910, 920, 930, 940, 950, 950, 950, 960, 960, 970, 970, 980, 980, 990}
)

// quoteDelays are minutes since the row before. From an offer to an answer they
// never come to as much as an offer stays open.
var quoteDelays = map[rune]quantiles{
	give:    {1, 2, 4, 6, 9, 14, 20, 30, 45, 60, 80, 110, 150, 210, 300, 480, 900, 1260, 1500, 2880},
	view:    {2, 4, 7, 11, 16, 25, 38, 55, 80, 120, 180, 260, 390, 600, 840, 1080, 1400, 2000, 2900, 4320},
	object:  {3, 5, 8, 11, 15, 20, 28, 40, 60, 90, 140, 220, 350, 560, 860, 1300, 1700, 2400, 3600, 5760},
	revise:  {10, 20, 35, 50, 70, 90, 120, 160, 210, 270, 350, 460, 600, 780, 960, 1140, 1320, 1560, 2100, 2880},
	approve: {2, 3, 5, 7, 10, 14, 20, 30, 45, 75, 120, 200, 340, 560, 900, 1440, 2300, 3700, 5800, 10080},
	decline: {15, 30, 60, 110, 190, 300, 480, 720, 1000, 1400, 1800, 2400, 3000, 3800, 4700, 5700, 6900, 8200, 9500, 11520},
}

const staysOpen = 30 * day

func (g *generator) quotes() (rows [][]string) {
	for i, at := range g.moments(g.size.Quotes) {
		id := fmt.Sprintf("DQ-%04d", i+1)
		g.begin(id, g.rand.IntN(g.size.Customers), projects[g.rand.IntN(len(projects))], at)
		rows = append(rows, g.quote(id, g.course(quoteCourses), at)...)
	}
	return rows
}

func (g *generator) quote(id, steps string, at time.Time) (rows [][]string) {
	price := g.draw(offered)
	for i, step := range steps {
		if i > 0 {
			at = at.Add(time.Duration(g.draw(quoteDelays[step]))*time.Minute + time.Duration(g.rand.IntN(60))*time.Second)
		}
		if at.After(g.until) {
			break
		}
		row := []string{id, strconv.Itoa(i), quoteActivities[step], at.Format(time.RFC3339), "", "", ""}
		switch step {
		case revise:
			price = price * g.draw(cheaper) / 1000
			fallthrough
		case draft:
			row[4], row[5] = strconv.Itoa(price), at.Add(staysOpen).Format(time.RFC3339)
		case object:
			row[6] = objections[g.rand.IntN(len(objections))]
		case decline:
			row[6] = reasons[g.rand.IntN(len(reasons))]
		}
		rows = append(rows, row)
	}
	return rows
}
