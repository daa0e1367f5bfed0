package quote

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/money"
)

// What a quote can be refused for.
var (
	ErrNotFound = &domain.Error{Kind: domain.NotFound, Code: "quote_not_found", Message: "there is no such quote"}
	ErrExists   = &domain.Error{Kind: domain.Conflict, Code: "quote_exists", Message: "the quote exists already"}
	ErrApproved = &domain.Error{Kind: domain.Conflict, Code: "quote_approved", Message: "the quote has been approved"}
	ErrDeclined = &domain.Error{Kind: domain.Conflict, Code: "quote_declined", Message: "the quote has been declined"}
	ErrExpired  = &domain.Error{Kind: domain.Conflict, Code: "quote_expired", Message: "the offer has expired"}
)

// Draft begins a quote. Whoever sends it has looked up that the customer
// belongs to the business and the place to the customer.
type Draft struct {
	QuoteID    string
	BusinessID string
	CustomerID string
	PropertyID string
	UnitID     string
	RequestID  string
	Reference  string
	Currency   money.Currency
	Offer      Offer
	At         time.Time
}

// Decide drafts a quote once.
func (c Draft) Decide(q State) ([]Event, error) {
	var check domain.Check
	check.ID("quoteId", c.QuoteID)
	check.ID("businessId", c.BusinessID)
	check.ID("customerId", c.CustomerID)
	check.OptionalID("propertyId", c.PropertyID)
	check.OptionalID("unitId", c.UnitID)
	check.OptionalID("requestId", c.RequestID)
	check.Line("reference", c.Reference, 40)
	money.CheckCurrency(&check, "currency", c.Currency)
	c.Offer.check(&check, c.Currency)
	check.Time("at", c.At)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if q.ID != "" {
		return nil, ErrExists
	}
	return []Event{Drafted(c)}, nil
}

// Revise makes the next version of the offer. The customer gets it by Send.
type Revise struct {
	Offer Offer
	At    time.Time
}

// Decide makes a version that differs from the present one.
func (c Revise) Decide(q State) ([]Event, error) {
	if q.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	c.Offer.check(&check, q.Currency)
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case q.Status == StatusApproved:
		return nil, ErrApproved
	case c.Offer.equal(q.Current()):
		return nil, nil
	}
	return []Event{Revised{CustomerID: q.CustomerID, Version: q.Version + 1, Offer: c.Offer, At: c.At}}, nil
}

// Send gives the present version to the customer, in place of any before it.
type Send struct {
	At time.Time
}

// Decide sends each version once, and none that has expired.
func (c Send) Decide(q State) ([]Event, error) {
	offer := q.Current()
	switch {
	case q.ID == "":
		return nil, ErrNotFound
	case q.Status == StatusApproved:
		return nil, ErrApproved
	case q.Held == q.Version && q.Status == StatusDeclined:
		return nil, ErrDeclined // an offer that was turned down must be revised first
	case q.Held == q.Version && q.Status == StatusExpired, offer.expired(c.At):
		return nil, ErrExpired.In("offer.expiresAt")
	case q.Held == q.Version:
		return nil, nil
	}
	totals, err := offer.total(q.Currency, nil)
	if err != nil {
		return nil, err
	}
	return []Event{Sent{
		CustomerID: q.CustomerID, Version: q.Version, Total: totals.Gross, ExpiresAt: offer.ExpiresAt, At: c.At,
	}}, nil
}

// Expire says that the time for an answer is over. The portal does so by itself.
type Expire struct {
	At time.Time
}

// Decide lets the version expire that the customer holds, where they have not
// answered it and can no longer approve it. Otherwise there is nothing to say.
func (c Expire) Decide(q State) ([]Event, error) {
	if q.Status != StatusOpen || !q.Expired(c.At) {
		return nil, nil
	}
	return []Event{Expired{
		CustomerID: q.CustomerID, Version: q.Held, ExpiresAt: q.HeldOffer().ExpiresAt, At: c.At,
	}}, nil
}

// View is somebody looking at the quote.
type View struct {
	Visit domain.Visit
	// Version is what they have before them. One that the document is no longer
	// at is refused with domain.ErrVersion: nobody saw what the log would say.
	// Zero is the present one.
	Version int
}

// Decide records the view as that of whoever looks: a contact, or staff, who
// are never taken for one. Programs do not view.
func (c View) Decide(q State) ([]Event, error) {
	version := q.Version
	if c.Visit.By.SeesAsContact() {
		version = q.Held
	}
	if version == 0 {
		return nil, ErrNotFound
	}
	var check domain.Check
	c.Visit.Check(&check)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if c.Version != 0 && c.Version != version {
		return nil, domain.ErrVersion.With(domain.VersionMismatch{Expected: c.Version, Current: version})
	}
	if q.Views.Cover(c.Visit.Of(version)) {
		return nil, nil
	}
	switch c.Visit.By.Kind {
	case domain.Contact:
		return c.byContact(q)
	case domain.Staff, domain.StaffAsContact:
		return []Event{ViewedByStaff{
			CustomerID: q.CustomerID, StaffID: c.Visit.By.ID, ActingFor: c.Visit.By.ActingFor,
			Session: c.Visit.Session, Version: version, At: c.Visit.At,
		}}, nil
	case domain.Integration, domain.System:
	}
	return nil, nil
}

func (c View) byContact(q State) ([]Event, error) {
	shown, err := q.Shown()
	if err != nil {
		return nil, err
	}
	hash, err := domain.Hash(c.Visit.Salt, shown)
	if err != nil {
		return nil, err
	}
	return []Event{Viewed{
		CustomerID: q.CustomerID, ContactID: c.Visit.By.ID, Session: c.Visit.Session,
		Version: q.Held, Total: shown.Totals.Gross, Language: c.Visit.Language,
		Schema: shown.Schema, Hash: hash, Salt: c.Visit.Salt, At: c.Visit.At,
	}}, nil
}
