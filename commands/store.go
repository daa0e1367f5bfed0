// Package commands is where requests become events. Each capability has a
// folder, and in it each use case a file named by its verb: route, who may,
// which decision. What they have in common is here.
//
// A use case begins a Call, which says who asks and under which id the command
// goes, and brings a decision of the domain to one stream by Execute. Nothing
// here reads a read model: what has to be known is folded from the log.
package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"portal.example/domain/account"
	"portal.example/domain/business"
	"portal.example/domain/claim"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/domain/parked"
	"portal.example/domain/payment"
	"portal.example/domain/quote"
	"portal.example/domain/request"
	"portal.example/eventstore"
)

// EventTypes are the types of all events of the portal, for its codec.
func EventTypes() []eventstore.EventType {
	var types []eventstore.EventType
	types = append(types, eventstore.Events(account.Types)...)
	types = append(types, eventstore.Events(business.Types)...)
	types = append(types, eventstore.Events(claim.Types)...)
	types = append(types, eventstore.Events(customer.Types)...)
	types = append(types, eventstore.Events(invoice.Types)...)
	types = append(types, eventstore.Events(parked.Types)...)
	types = append(types, eventstore.Events(payment.Types)...)
	types = append(types, eventstore.Events(quote.Types)...)
	types = append(types, eventstore.Events(register.Types)...)
	return append(types, eventstore.Events(request.Types)...)
}

// Categories are those of the portal's streams, which keep all of their events for
// ever.
func Categories() []string {
	return []string{
		"account", "business", "claim", "customer", "invoice", "invoiceregister", parked.Category, "payment", "quote", "request",
	}
}

// Store is the log by category.
type Store struct {
	Accounts   *eventstore.Category[account.State, account.Event]
	Businesses *eventstore.Category[business.State, business.Event]
	Claims     *eventstore.Category[claim.State, claim.Event]
	Customers  *eventstore.Category[customer.State, customer.Event]
	Invoices   *eventstore.Category[invoice.State, invoice.Event]
	Parked     *eventstore.Category[parked.State, parked.Event]
	Payments   *eventstore.Category[payment.State, payment.Event]
	Quotes     *eventstore.Category[quote.State, quote.Event]
	Registers  *eventstore.Category[register.State, register.Event]
	Requests   *eventstore.Category[request.State, request.Event]
}

// How many folded states are kept of a category: of records that people work on
// one after the other, and of those that nearly every command looks at.
const (
	cachedRecords  = 10_000
	cachedSettings = 1_000
)

// NewStore makes the categories. The codec knows EventTypes.
func NewStore(log eventstore.Log, codec *eventstore.Codec) (*Store, error) {
	var s Store
	return &s, errors.Join(
		category(&s.Accounts, "account", log, codec, cachedRecords),
		category(&s.Businesses, "business", log, codec, cachedSettings),
		category(&s.Claims, "claim", log, codec, cachedSettings),
		category(&s.Customers, "customer", log, codec, cachedRecords),
		category(&s.Invoices, "invoice", log, codec, cachedRecords),
		category(&s.Parked, parked.Category, log, codec, cachedSettings),
		category(&s.Payments, "payment", log, codec, cachedRecords),
		category(&s.Quotes, "quote", log, codec, cachedRecords),
		category(&s.Registers, "invoiceregister", log, codec, cachedSettings),
		category(&s.Requests, "request", log, codec, cachedRecords),
	)
}

func category[S eventstore.State[S, E], E any](
	into **eventstore.Category[S, E], name string, log eventstore.Log, codec *eventstore.Codec, cached int,
) (err error) {
	if !slices.Contains(Categories(), name) {
		return fmt.Errorf("category %s is missing from Categories: its streams could be trimmed", name)
	}
	*into, err = eventstore.NewCategory[S, E](name, log, codec, cached)
	return err
}

// Look folds a stream as it is in the log now; one that does not exist is the
// zero state. It is for what a decision must know of another record.
func Look[S eventstore.State[S, E], E any](ctx context.Context, c *eventstore.Category[S, E], stream string) (S, error) {
	nobody := eventstore.Metadata{ // an envelope that is never sent
		CommandID: uuid.New(), Business: "any", Operation: "look", RecordedAt: time.Unix(0, 0),
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, Origin: eventstore.OriginLive,
	}
	result, err := c.Execute(ctx, stream, nobody, nothing[S, E]{})
	return result.State, err
}

// nothing is a command that never has anything new to say. Execute decides such
// a one on a fresh load.
type nothing[S, E any] struct{}

func (nothing[S, E]) Decide(S) ([]E, error) { return nil, nil }
