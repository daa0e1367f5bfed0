package whatif

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/eventstore"
	"portal.example/internal/database"
)

// Question is what is replayed, and where it is read from.
type Question struct {
	Readers *database.Readers
	Client  *eventstore.Client
	Codec   *eventstore.Codec

	Business string // id
	Currency money.Currency
	Zone     *time.Location
	Until    time.Time
	Limit    int // how many of those that differ are named

	Progress func(invoices int) // may be nil
}

const (
	// pageSize is how many invoices are held in memory at once, and beside how many
	// others an invoice's history is read: each read waits for the log.
	pageSize = 500
	beside   = 8

	pageLimit = 30 * time.Second
)

// Ask replays the history of every invoice that the business ever issued. The read
// model tells which those are, and the log what happened to them, one after the
// other: memory does not grow with the history.
func Ask(ctx context.Context, q Question, policy Policy) (*Report, error) {
	r := &Report{
		Policy: policy.Name(), Rule: policy, Currency: q.Currency, Until: q.Until.UTC(), limit: q.Limit,
		Items: []Item{}, ByCustomer: []Customer{},
	}
	var after key
	for {
		page, err := q.page(ctx, r, after)
		if err != nil {
			return nil, fmt.Errorf("whatif: listing the invoices: %w", err)
		}
		if len(page) == 0 {
			r.finish()
			return r, nil
		}
		if err := q.compare(ctx, policy, page); err != nil {
			return nil, err
		}
		for _, l := range page {
			if l.Currency == q.Currency {
				r.add(l.Item)
			} else {
				r.LeftOut++
			}
		}
		after = page[len(page)-1].key
		if q.Progress != nil {
			q.Progress(r.Invoices)
		}
	}
}

// listed is an invoice of a page.
type listed struct {
	Item
	key

	Currency money.Currency
}

// key is the place of an invoice in the list, in which those of a customer are
// together.
type key struct {
	customer, invoice string
	drafted           time.Time
}

func (q Question) page(ctx context.Context, r *Report, after key) (page []listed, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageLimit)
	defer cancel()
	tx, err := q.Readers.Begin(ctx, q.Business)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(ctx)
	if r.AsOf.IsZero() {
		err := tx.QueryRow(ctx, `SELECT as_of FROM freshness WHERE projection = 'invoices'`).Scan(&r.AsOf)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, errors.New("the read model is being built for the first time")
		}
		if err != nil {
			return nil, err
		}
		r.AsOf = r.AsOf.UTC()
	}
	rows, err := tx.Query(ctx, `
		SELECT customer_id, drafted_at, invoice_id, number, reference, currency FROM invoices
		WHERE business_id = current_setting('portal.business') AND number > 0
		  AND (customer_id, drafted_at, invoice_id) > ($1, $2, $3)
		ORDER BY customer_id, drafted_at, invoice_id LIMIT $4`, after.customer, after.drafted, after.invoice, pageSize)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l listed, err error) {
		err = row.Scan(&l.CustomerID, &l.drafted, &l.InvoiceID, &l.Number, &l.Reference, &l.Currency)
		l.customer, l.invoice = l.CustomerID, l.InvoiceID
		return l, err
	})
}

func (q Question) compare(ctx context.Context, policy Policy, page []listed) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(beside)
	for i := range page {
		if page[i].Currency != q.Currency {
			continue
		}
		group.Go(func() (err error) {
			history, err := q.history(ctx, page[i].InvoiceID)
			if err == nil {
				page[i].Figures, err = compare(policy, history, q.Zone, q.Until)
			}
			if err != nil {
				return fmt.Errorf("whatif: invoice %s: %w", page[i].InvoiceID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// immaterial events are nothing to what is owed, and there can be many of them.
var immaterial = map[string]bool{"InvoiceViewed": true, "InvoiceViewedByStaff": true}

func (q Question) history(ctx context.Context, id string) (history []invoice.Event, err error) {
	var records []eventstore.Recorded
	for e, err := range q.Client.ReadStream(ctx, invoice.Stream(id), 0) {
		if err != nil {
			return nil, err
		}
		if !immaterial[e.Type] && eventstore.BusinessOf(e.Metadata) == q.Business {
			records = append(records, e)
		}
	}
	for _, d := range q.Codec.DecodeSealed(records) {
		if d.Err != nil {
			return nil, d.Err
		}
		e, is := d.Event.(invoice.Event)
		if !is {
			return nil, fmt.Errorf("%s is no event of an invoice", d.Record.Type)
		}
		history = append(history, e)
	}
	return history, nil
}
