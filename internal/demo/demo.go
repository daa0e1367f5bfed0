// Package demo invents a business with two years of history, for trying the
// portal out and for showing it. Its amounts, delays and shares follow real
// histories; its people are invented, and look it.
//
// The history goes in by the same way as an imported one. The same seed and day
// always make the same.
package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"portal.example/internal/importing"
)

// Size is how much there is. Every customer has an invoice, so that there are
// no fewer of these.
type Size struct {
	Customers, Invoices, Requests, Quotes int
}

// Full is the size of the demo, Small is enough for its tests.
var (
	Full  = Size{Customers: 2_000, Invoices: 10_000, Requests: 1_500, Quotes: 1_000}
	Small = Size{Customers: 20, Invoices: 60, Requests: 15, Quotes: 60}
)

const (
	years     = 2
	toPay     = 60 // days, which is when the real history's late fees begin to fall due
	day       = 24 * time.Hour
	dateStyle = time.DateOnly
)

// History is what the demo business's files say.
type History struct {
	Invoices importing.File
	Requests importing.File
	Quotes   importing.File
	subjects map[string]importing.Subject // by case
}

// About says what the files do not; see importing.Importer.
func (h History) About(caseID string) importing.Subject { return h.subjects[caseID] }

// New invents the full history of two years until a moment. What would have come
// later has not happened yet.
func New(seed uint64, until time.Time) History { return Full.New(seed, until) }

// New invents a history of this size.
func (s Size) New(seed uint64, until time.Time) History {
	g := &generator{
		size:  s,
		rand:  rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // nothing is secret about it
		until: until.UTC().Truncate(day),
		since: until.UTC().Truncate(day).AddDate(-years, 0, 0),
		about: map[string]importing.Subject{},
		first: map[int]time.Time{},
	}
	invoices := g.invoices()
	requests := g.requests()
	quotes := g.quotes()
	g.introduce()
	return History{
		Invoices: importing.NewFile(importing.Fines, invoices),
		Requests: importing.NewFile(importing.Requests, requests),
		Quotes:   importing.NewFile(importing.Quotes, quotes),
		subjects: g.about,
	}
}

type generator struct {
	size         Size
	rand         *rand.Rand
	since, until time.Time
	about        map[string]importing.Subject
	customer     map[string]int    // of a case
	first        map[int]time.Time // case of a customer
}

// moments are so many moments of the two years, in order.
func (g *generator) moments(count int) []time.Time {
	all := make([]time.Time, count)
	for i := range all {
		all[i] = g.since.Add(time.Duration(g.rand.Int64N(int64(g.until.Sub(g.since)))))
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// whose gives every customer a case first, and then some more than others.
func (g *generator) whose(i int) int {
	if i < g.size.Customers {
		return i
	}
	return min(g.rand.IntN(g.size.Customers), g.rand.IntN(g.size.Customers))
}

func (g *generator) begin(caseID string, customer int, title string, at time.Time) {
	if g.customer == nil {
		g.customer = map[string]int{}
	}
	g.customer[caseID] = customer
	g.about[caseID] = importing.Subject{Title: title, DaysToPay: toPay}
	if known, has := g.first[customer]; !has || at.Before(known) {
		g.first[customer] = at
	}
}

// introduce says who the customers are, since shortly before their first case.
func (g *generator) introduce() {
	people := make([]importing.Customer, g.size.Customers)
	for i := range people {
		people[i] = person(i, g.first[i].Add(-day))
	}
	for id, subject := range g.about {
		subject.Customer = people[g.customer[id]]
		g.about[id] = subject
	}
}

func (g *generator) draw(q quantiles) int { return q[g.rand.IntN(len(q))] }

func (g *generator) course(courses []course) string {
	return courses[g.weighted(len(courses), func(i int) int { return courses[i].count })].steps
}

// weighted picks one of n things, each as often as its count says.
func (g *generator) weighted(n int, count func(i int) int) int {
	total := 0
	for i := range n {
		total += count(i)
	}
	left := g.rand.IntN(total)
	for i := range n {
		if left -= count(i); left < 0 {
			return i
		}
	}
	return 0
}

func (g *generator) invoices() (rows [][]string) {
	for i, at := range g.moments(g.size.Invoices) {
		id := fmt.Sprintf("D-%05d", i+1)
		g.begin(id, g.whose(i), jobs[g.rand.IntN(len(jobs))], at)
		rows = append(rows, g.invoice(id, g.course(courses), at)...)
	}
	return rows
}

func (g *generator) invoice(id, steps string, at time.Time) (rows [][]string) {
	var amount, billed, paid int
	for i, step := range steps {
		if i > 0 {
			delay := string(step)
			if step == pay {
				delay = steps[i-1 : i+1]
			}
			at = at.Add(time.Duration(g.draw(delays[delay])) * day)
		}
		if at.After(g.until) {
			break
		}
		row := []string{id, strconv.Itoa(i), activities[step], at.Format(dateStyle), "", "", ""}
		switch step {
		case create:
			amount = g.draw(issued)
			billed = amount
			row[4] = strconv.Itoa(amount)
		case send:
			expense := g.draw(expenses)
			billed += expense
			row[5] = strconv.Itoa(expense)
		case penalty:
			fee := amount*g.draw(risen)/1000 - amount
			billed += fee
			row[4] = strconv.Itoa(amount + fee)
		case pay:
			sum := g.payment(billed-paid, amount, steps[i+1:])
			paid += sum
			row[6] = strconv.Itoa(sum)
		}
		rows = append(rows, row)
	}
	return rows
}

// payment is part of the rest, or all of it. Where nothing is left, somebody pays
// for the second time.
func (g *generator) payment(rest, amount int, next string) int {
	switch {
	case rest <= 0:
		return amount
	case strings.ContainsRune(next, collect): // so that there is something to collect
		return rest * min(g.draw(morePaid), 900) / 1000
	case strings.ContainsRune(next, pay):
		return rest * g.draw(morePaid) / 1000
	}
	return rest * g.draw(lastPaid) / 1000
}

func (g *generator) requests() (rows [][]string) {
	for i, at := range g.moments(g.size.Requests) {
		id := fmt.Sprintf("DR-%04d", i+1)
		g.begin(id, g.rand.IntN(g.size.Customers), wishes[g.rand.IntN(len(wishes))], at)
		rows = append(rows, g.request(id, at)...)
	}
	return rows
}

func (g *generator) request(id string, at time.Time) (rows [][]string) {
	way := g.channel()
	deadline := at.Add(time.Duration(g.draw(promises)) * day)
	steps := slices.Concat([]string{"Confirmation of receipt"}, g.triage())
	for i, activity := range steps {
		if i > 0 {
			at = at.Add(time.Duration(g.draw(pauses))*time.Minute + time.Duration(g.rand.IntN(60))*time.Second)
		}
		if at.After(g.until) {
			break
		}
		rows = append(rows, []string{
			id, strconv.Itoa(i), activity, at.Format(time.RFC3339), staff[g.rand.IntN(len(staff))], teams[g.rand.IntN(len(teams))],
			way, "", deadline.Format(time.RFC3339), "",
		})
	}
	return rows
}

func (g *generator) triage() (steps []string) {
	for i := range g.draw(stepCounts) {
		steps = append(steps, triage[i%len(triage)])
	}
	if g.rand.IntN(100) >= ended {
		return steps
	}
	if g.rand.IntN(10) == 0 {
		return append(steps, importing.Declined)
	}
	return append(steps, importing.Accepted)
}

func (g *generator) channel() string {
	return channels[g.weighted(len(channels), func(i int) int { return channels[i].count })].name
}
