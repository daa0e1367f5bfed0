package importing

import (
	"context"
	"sync"
	"time"

	"portal.example/commands"
	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/eventstore"
)

// Subject is what a file does not say about a case: who the customer is and
// what it is about.
type Subject struct {
	Customer  Customer
	Title     string // of the invoice's one line, or of the request
	DaysToPay int    // of an invoice
}

// Customer is the customer of a case.
type Customer struct {
	Key       string // cases with the same key are the same customer's
	Reference string
	Name      string
	Language  string
	Since     time.Time // zero: since their first case
	Contact   *Contact  // nil where no person is known
	Address   string    // of the property where work is done; empty where none is known
}

// Contact is the person who acts for a customer.
type Contact struct {
	Name, Email, Phone string
}

// unnamed is the customer of a case whose file names none.
func unnamed(format, caseID string) Customer {
	return Customer{
		Key: format + " " + caseID, Reference: caseID, Name: "Customer of " + caseID, Language: domain.English,
	}
}

// CustomerID is the id of the business's customer with this key.
func CustomerID(businessID, key string) string { return customerPart(businessID, key, "customer") }

// ContactID is the id of that customer's contact.
func ContactID(businessID, key string) string { return customerPart(businessID, key, "contact") }

// PropertyID is the id of that customer's property.
func PropertyID(businessID, key string) string { return customerPart(businessID, key, "property") }

func customerPart(businessID, key, part string) string {
	command, err := customerCommand(businessID, key)
	if err != nil {
		return "" // no business or no key, which every decision refuses
	}
	return eventstore.NewID(command.CommandID, part).String()
}

// customerCommand is the first command about a customer. It does not derive
// from the kind of file, because a customer can be in several.
func customerCommand(businessID, key string) (eventstore.Metadata, error) {
	m := eventstore.Metadata{
		Business: businessID, Operation: "imports.customer",
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, Origin: eventstore.OriginImport,
	}
	var err error
	m.CommandID, err = eventstore.CommandID(m.Business, m.Actor, m.Operation, key)
	return m, err
}

// customers makes each customer once in a run.
type customers struct {
	mu    sync.Mutex
	known map[string]func() error
}

// meet makes sure that the business has the customer, who came by the first of
// their cases where nothing else is known.
func (r *run) meet(ctx context.Context, c Customer, at time.Time) error {
	r.customers.mu.Lock()
	met, known := r.customers.known[c.Key]
	if !known {
		met = sync.OnceValue(func() error { return r.add(ctx, c, at) })
		r.customers.known[c.Key] = met
	}
	r.customers.mu.Unlock()
	return met()
}

func (r *run) add(ctx context.Context, c Customer, at time.Time) error {
	if !c.Since.IsZero() {
		at = c.Since
	}
	m, err := customerCommand(r.Business, c.Key)
	if err != nil {
		return err
	}
	m.RecordedAt, m.OccurredAt = r.room.Now(), at
	m.Fingerprint = eventstore.NewFingerprint(r.room.Secret, []byte(c.Key))

	id := CustomerID(r.Business, c.Key)
	stream := customer.Stream(id)
	_, err = r.room.Customers.Execute(ctx, stream, m, customer.Add{
		CustomerID: id, BusinessID: r.Business, Reference: c.Reference, Name: c.Name, Language: c.Language, At: at,
	})
	if err == nil && c.Address != "" {
		_, err = r.room.Customers.Execute(ctx, stream, commands.NextStep(m, "add-property"), customer.AddProperty{
			PropertyID: PropertyID(r.Business, c.Key), Name: "Home", Address: c.Address, At: at,
		})
	}
	if err == nil && c.Contact != nil {
		_, err = r.room.Customers.Execute(ctx, stream, commands.NextStep(m, "add-contact"), customer.AddContact{
			ContactID: ContactID(r.Business, c.Key), Name: c.Contact.Name, Email: c.Contact.Email, Phone: c.Contact.Phone,
			Language: c.Language, Rights: customer.Rights{Access: customer.Everything}, At: at,
		})
	}
	return err
}
