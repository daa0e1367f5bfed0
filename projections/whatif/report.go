package whatif

import (
	"cmp"
	"slices"
	"time"

	"portal.example/domain/money"
)

// Report tells who differs, and by how much. Amounts are minor units of its one
// currency.
type Report struct {
	Policy    string         `json:"policy"`
	Rule      Policy         `json:"rule"` // its parameters
	Currency  money.Currency `json:"currency"`
	AsOf      time.Time      `json:"asOf"`  // invoices recorded until then are in it
	Until     time.Time      `json:"until"` // fees are charged until then
	Invoices  int            `json:"invoices"`
	Differ    int            `json:"differ"`          // of the invoices
	Customers int            `json:"customersDiffer"` // whose invoices differ
	LeftOut   int            `json:"leftOut"`         // invoices in other currencies
	Totals    Figures        `json:"totals"`          // of all invoices

	// Those that differ most, as many as were asked for.
	Items      []Item     `json:"items"`
	ByCustomer []Customer `json:"customers"`

	limit    int
	customer Customer // whose invoices are coming
}

// Item is an invoice that differs.
type Item struct {
	InvoiceID  string `json:"invoiceId"`
	CustomerID string `json:"customerId"`
	Number     int64  `json:"number"`
	Reference  string `json:"reference,omitempty"`
	Figures
}

// Customer is one whose invoices differ.
type Customer struct {
	CustomerID string `json:"customerId"`
	Invoices   int    `json:"invoices"` // that differ
	Figures
}

// add takes in an invoice. Those of a customer come together.
func (r *Report) add(i Item) {
	r.Invoices++
	r.Totals = r.Totals.plus(i.Figures)
	if r.customer.CustomerID != i.CustomerID {
		r.close()
		r.customer = Customer{CustomerID: i.CustomerID}
	}
	if !i.differ() {
		return
	}
	r.Differ++
	r.customer.Invoices++
	r.customer.Figures = r.customer.plus(i.Figures)
	r.Items = append(r.Items, i)
	r.shorten(r.limit)
}

// close ends a customer.
func (r *Report) close() {
	if r.customer.Invoices == 0 {
		return
	}
	r.Customers++
	r.ByCustomer = append(r.ByCustomer, r.customer)
	r.customer = Customer{}
	r.shorten(r.limit)
}

// shorten leaves what differs most, once there is more than slack beyond the limit:
// memory does not grow with the history.
func (r *Report) shorten(slack int) {
	if len(r.Items) > r.limit+slack {
		r.Items = most(r.Items, r.limit, func(i Item) (Figures, string) { return i.Figures, i.InvoiceID })
	}
	if len(r.ByCustomer) > r.limit+slack {
		r.ByCustomer = most(r.ByCustomer, r.limit, func(c Customer) (Figures, string) { return c.Figures, c.CustomerID })
	}
}

// finish puts the report in order.
func (r *Report) finish() {
	r.close()
	r.shorten(-r.limit)
}

func most[T any](all []T, limit int, of func(T) (Figures, string)) []T {
	slices.SortFunc(all, func(a, b T) int {
		f, idOfA := of(a)
		g, idOfB := of(b)
		return cmp.Or(
			cmp.Compare(magnitude(g.LateFees), magnitude(f.LateFees)),
			cmp.Compare(magnitude(g.Outstanding), magnitude(f.Outstanding)),
			cmp.Compare(idOfA, idOfB))
	})
	return slices.Clip(all[:min(limit, len(all))])
}

func magnitude(p Pair) int64 { return max(p.Difference, -p.Difference) }
