package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/internal/outbox"
)

// The example of docs/extending.md: a program of somebody else's that is told of
// every invoice that was sent or paid, one after the other. The tests beside it
// run it as a process of its own and kill it.

// invoiceHook tells the program at an address what happens to invoices.
func invoiceHook(pool *pgxpool.Pool, client *eventstore.Client, address string) (*outbox.Outbox, error) {
	return outbox.New(outbox.Config{
		Name: "invoice-hook", Pool: pool, Client: client,
		Types: []string{"InvoiceSent", "InvoicePaymentReceived"}, SkipImported: true,
		Deliver: func(ctx context.Context, e eventstore.Recorded) error { return post(ctx, address, e) },
	})
}

// post sends the event without what is in it: whoever gets it asks the API for
// what they may see. Its id lets them recognise a repeat.
func post(ctx context.Context, address string, e eventstore.Recorded) error {
	body, err := json.Marshal(map[string]any{"id": e.ID, "type": e.Type, "stream": e.Stream, "position": e.Position.String()})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answers %s", answer.Status)
	}
	return nil
}
