// Package projectiontest helps to test projections and what reads them: events
// as a projection gets them, made without a log, and tables as they are after.
package projectiontest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"

	"portal.example/domain/account"
	"portal.example/domain/business"
	"portal.example/domain/claim"
	"portal.example/domain/customer"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/domain/parked"
	"portal.example/domain/payment"
	"portal.example/domain/quote"
	"portal.example/domain/request"
	"portal.example/eventstore"
)

// Types are all events of the portal by their stored names, each with an
// example of its Go type.
func Types() map[string]any {
	all := make(map[string]any)
	add(all, account.Types)
	add(all, business.Types)
	add(all, claim.Types)
	add(all, customer.Types)
	add(all, invoice.Types)
	add(all, register.Types)
	add(all, parked.Types)
	add(all, payment.Types)
	add(all, quote.Types)
	add(all, request.Types)
	return all
}

func add[E any](all map[string]any, types map[string]E) {
	for name, example := range types {
		all[name] = example
	}
}

// EventTypes are the same for a codec.
func EventTypes() []eventstore.EventType { return eventstore.Events(Types()) }

var names = func() map[reflect.Type]string {
	names := make(map[reflect.Type]string)
	for name, example := range Types() {
		names[reflect.TypeOf(example)] = name
	}
	return names
}()

// Name is the stored name of an event.
func Name(event any) string { return names[reflect.TypeOf(event)] }

// History is a log in the making.
type History struct {
	Business string
	Events   []eventstore.Decoded

	revisions map[string]uint64
}

// Actors of histories.
var (
	Portal = eventstore.Actor{Kind: eventstore.ActorSystem}
	Sam    = eventstore.Actor{Kind: eventstore.ActorStaff, ID: domaintest.Sam.ID}
	Dana   = eventstore.Actor{Kind: eventstore.ActorContact, ID: domaintest.Dana.ID}
	AsDana = eventstore.Actor{
		Kind: eventstore.ActorStaffAsContact, ID: domaintest.AsDana.ID, ActingFor: domaintest.AsDana.ActingFor,
	}
)

// Add appends events to a stream, one position each.
func (h *History) Add(by eventstore.Actor, stream string, events ...any) {
	if h.revisions == nil {
		h.revisions = make(map[string]uint64)
	}
	for _, event := range events {
		n := len(h.Events) + 1
		at := domaintest.Noon.Add(time.Duration(n) * time.Minute)
		position := uint64(n) * 1000
		h.Events = append(h.Events, eventstore.Decoded{
			Record: eventstore.Recorded{
				Stream: stream, Revision: h.revisions[stream],
				Position: eventstore.Position{Commit: position, Prepare: position},
				ID:       uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, h.Business, n)),
				Type:     Name(event), Created: at,
			},
			Metadata: eventstore.Metadata{
				CommandID: uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, h.Business, n)), Business: h.Business, Operation: "test",
				Actor: by, Session: eventstore.Session{ID: "s-" + by.ID, Method: "code", At: domaintest.Noon},
				Schema: 1, Origin: eventstore.OriginLive, RecordedAt: at,
			},
			Event: event,
		})
		h.revisions[stream]++
	}
}
