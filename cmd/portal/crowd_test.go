package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// crowd is people who act on portals all the time, and insist: what was not
// acknowledged is asked again under the same Idempotency-Key, of the next
// portal, until it is. In the end all they did was done once.
type crowd struct {
	t     *testing.T
	token string
	urls  []string // portals on one log

	// limit bounds an answer. A portal that is there answers within it; only of
	// one that may have been killed or cut off silence is accepted.
	limit    time.Duration
	mayBeOff bool

	mu   sync.Mutex
	done tally
}

// tally is what a crowd has done, and how its requests were answered.
type tally struct {
	customers, invoices, payments int
	cents                         int // of all payments

	taken   int
	refused map[string]int // by the problem's code
	silence int
}

// start sets the crowd to work, until stop, which returns what has been done.
func (c *crowd) start() (stop func() tally) {
	c.done.refused = map[string]int{}
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	enough := make(chan struct{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { c.serveCustomers(ctx, enough) })
		group.Go(func() { c.takePayments(ctx, enough) })
	}
	return func() tally {
		close(enough)
		group.Wait()
		cancel()
		return c.soFar()
	}
}

func (c *crowd) soFar() tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.done
	t.refused = map[string]int{}
	for code, n := range c.done.refused {
		t.refused[code] = n
	}
	return t
}

// serveCustomers adds customers, each with an invoice that they pay.
func (c *crowd) serveCustomers(ctx context.Context, enough <-chan struct{}) {
	for going(ctx, enough) {
		if invoice := c.newInvoice(ctx); invoice != "" {
			c.pay(ctx, invoice, 2000)
		}
	}
}

// takePayments receives a cent at a time for one invoice.
func (c *crowd) takePayments(ctx context.Context, enough <-chan struct{}) {
	invoice := c.newInvoice(ctx)
	for invoice != "" && going(ctx, enough) {
		c.pay(ctx, invoice, 1)
	}
}

func going(ctx context.Context, enough <-chan struct{}) bool {
	select {
	case <-enough:
		return false
	case <-ctx.Done():
		return false
	default:
		return true
	}
}

// newInvoice is an issued invoice over 100.00 EUR of a new customer.
func (c *crowd) newInvoice(ctx context.Context) string {
	customer := c.insist(ctx, "/customers", `{"name":"Dana Reyes"}`)
	if customer == nil {
		return ""
	}
	invoice := c.insist(ctx, "/invoices", fmt.Sprintf(`{"customerId":%q,"currency":"EUR","lines":[`+
		`{"id":"work","description":"Work","quantity":1000,"unitPrice":{"amount":10000,"currency":"EUR"},"taxRate":0}]}`, customer["id"]))
	if invoice == nil || c.insist(ctx, fmt.Sprintf("/invoices/%s/issue", invoice["id"]), `{}`) == nil {
		return ""
	}
	c.note(func(t *tally) { t.customers++; t.invoices++ })
	return fmt.Sprint(invoice["id"])
}

func (c *crowd) pay(ctx context.Context, invoice string, cents int) {
	if c.insist(ctx, "/invoices/"+invoice+"/payments",
		fmt.Sprintf(`{"method":"cash","amount":{"amount":%d,"currency":"EUR"}}`, cents)) != nil {
		c.note(func(t *tally) { t.payments++; t.cents += cents })
	}
}

func (c *crowd) note(what func(*tally)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what(&c.done)
}

// insist asks until the command is taken. It gives up, and returns nil, at an
// answer that nobody should get.
func (c *crowd) insist(ctx context.Context, path, body string) map[string]any {
	key := uuid.NewString()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for attempt := 0; ; attempt++ {
		said, taken, err := c.ask(ctx, c.urls[attempt%len(c.urls)]+"/api/v1"+path, body, key)
		switch {
		case err != nil:
			c.t.Errorf("%s: %v", path, err)
			return nil
		case taken:
			return said
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			c.t.Errorf("%s: still not taken: %v", path, said)
			return nil
		}
	}
}

// ask asks once. An error is an answer that nobody should get.
func (c *crowd) ask(ctx context.Context, url, body, key string) (said map[string]any, taken bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return nil, false, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		defer response.Body.Close()
		err = json.NewDecoder(response.Body).Decode(&said)
	}
	switch {
	case err != nil && c.mayBeOff:
		c.note(func(t *tally) { t.silence++ })
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case response.StatusCode < 300:
		c.note(func(t *tally) { t.taken++ })
		return said, true, nil
	case response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || said["code"] == nil:
		return nil, false, fmt.Errorf("%s with headers %v: %v", response.Status, response.Header, said)
	}
	c.note(func(t *tally) { t.refused[fmt.Sprint(said["code"])]++ })
	return said, false, nil
}
