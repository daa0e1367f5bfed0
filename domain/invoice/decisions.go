package invoice

import (
	"fmt"
	"slices"
	"time"

	"portal.example/domain"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// What an invoice can be refused for.
var (
	ErrNotFound  = &domain.Error{Kind: domain.NotFound, Code: "invoice_not_found", Message: "there is no such invoice"}
	ErrExists    = &domain.Error{Kind: domain.Conflict, Code: "invoice_exists", Message: "the invoice exists already"}
	ErrFrozen    = &domain.Error{Kind: domain.Conflict, Code: "invoice_frozen", Message: "the invoice can no longer be changed"}
	ErrNotFrozen = &domain.Error{Kind: domain.Conflict, Code: "invoice_not_frozen", Message: "the invoice is not ready for a number"}
	ErrNumbered  = &domain.Error{Kind: domain.Conflict, Code: "invoice_numbered", Message: "the invoice has another number"}
	ErrNotIssued = &domain.Error{Kind: domain.Conflict, Code: "invoice_not_issued", Message: "the invoice has not been issued"}
	ErrNotSent   = &domain.Error{Kind: domain.Conflict, Code: "invoice_not_sent", Message: "the invoice has not been sent"}
	ErrVoid      = &domain.Error{Kind: domain.Conflict, Code: "invoice_void", Message: "the invoice is void"}
)

// Draft begins an invoice. Whoever sends it has looked up that the customer
// belongs to the business and the place to the customer.
type Draft struct {
	InvoiceID  string
	BusinessID string
	CustomerID string
	PropertyID string
	UnitID     string
	QuoteID    string
	Reference  string
	Currency   money.Currency
	Lines      []lines.Line
	Note       string
	At         time.Time
}

// Decide drafts an invoice once.
func (c Draft) Decide(s State) ([]Event, error) {
	var check domain.Check
	check.ID("invoiceId", c.InvoiceID)
	check.ID("businessId", c.BusinessID)
	check.ID("customerId", c.CustomerID)
	check.OptionalID("propertyId", c.PropertyID)
	check.OptionalID("unitId", c.UnitID)
	check.OptionalID("quoteId", c.QuoteID)
	check.OptionalLine("reference", c.Reference, 40)
	money.CheckCurrency(&check, "currency", c.Currency)
	checkContent(&check, c.Lines, c.Note, c.Currency)
	check.Time("at", c.At)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if s.ID != "" {
		return nil, ErrExists
	}
	return []Event{Drafted(c)}, nil
}

func checkContent(check *domain.Check, items []lines.Line, note string, in money.Currency) {
	lines.Check(check, "lines", items, in)
	for i, l := range items {
		if l.Optional {
			check.Fail(fmt.Sprintf("lines[%d].optional", i), "optional", "must not be optional on an invoice")
		}
	}
	check.OptionalProse("note", note)
}

// Revise changes a draft.
type Revise struct {
	Lines []lines.Line
	Note  string
	At    time.Time
}

// Decide changes what is not so already.
func (c Revise) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	checkContent(&check, c.Lines, c.Note, s.Currency)
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case s.Status == StatusVoid:
		return nil, ErrVoid
	case s.Status != StatusDraft:
		return nil, ErrFrozen
	case slices.Equal(c.Lines, s.Lines) && c.Note == s.Note:
		return nil, nil
	}
	return []Event{Revised{CustomerID: s.CustomerID, Lines: c.Lines, Note: c.Note, At: c.At}}, nil
}

// Freeze fixes what the invoice says. It is the last step that can refuse it.
type Freeze struct {
	IssuedOn domain.Date
	DueOn    domain.Date
	At       time.Time
}

// Decide freezes a draft that comes to more than nothing.
func (c Freeze) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Date("issuedOn", c.IssuedOn)
	check.Date("dueOn", c.DueOn)
	if c.DueOn.Compare(c.IssuedOn) < 0 {
		check.Fail("dueOn", "before_issue", "must not be before the day of issue")
	}
	totals, err := lines.Sum(s.Currency, s.Lines)
	check.Add("lines", err)
	if err == nil && totals.Gross.Amount == 0 {
		check.Fail("lines", "not_positive", "must come to more than zero")
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case s.Status == StatusVoid:
		return nil, ErrVoid
	case s.Status == StatusDraft:
		return []Event{Frozen{
			CustomerID: s.CustomerID, IssuedOn: c.IssuedOn, DueOn: c.DueOn, Total: totals.Gross, At: c.At,
		}}, nil
	case s.IssuedOn == c.IssuedOn && s.DueOn == c.DueOn:
		return nil, nil
	}
	return nil, ErrFrozen
}

// Issue gives a frozen invoice the number that the register gave out for it.
type Issue struct {
	Number int64
	At     time.Time
}

// Decide never refuses a frozen invoice, whose number is taken already.
func (c Issue) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	if c.Number < 1 {
		check.Fail("number", "not_a_number", "must be a number that the register gave out")
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case s.Number == c.Number:
		return nil, nil
	case s.Number > 0:
		return nil, ErrNumbered
	case s.Status != StatusFrozen:
		return nil, ErrNotFrozen
	}
	return []Event{Issued{CustomerID: s.CustomerID, Number: c.Number, Total: s.Total, At: c.At}}, nil
}

// inForce says whether the invoice is one that things can be done with.
func (s State) inForce() error {
	switch {
	case s.ID == "":
		return ErrNotFound
	case s.Status == StatusVoid:
		return ErrVoid
	case s.Status != StatusIssued:
		return ErrNotIssued
	}
	return nil
}

// Send says that the invoice was sent; it can be sent again.
type Send struct {
	At time.Time
}

// Decide records every sending of an invoice in force.
func (c Send) Decide(s State) ([]Event, error) {
	if err := s.inForce(); err != nil {
		return nil, err
	}
	return []Event{Sent{CustomerID: s.CustomerID, At: c.At}}, nil
}

// ConfirmDelivery says that the invoice arrived.
type ConfirmDelivery struct {
	At time.Time
}

// Decide confirms once what was sent.
func (c ConfirmDelivery) Decide(s State) ([]Event, error) {
	if err := s.inForce(); err != nil {
		return nil, err
	}
	switch {
	case !s.Sent:
		return nil, ErrNotSent
	case s.Delivered:
		return nil, nil
	}
	return []Event{DeliveryConfirmed{CustomerID: s.CustomerID, At: c.At}}, nil
}

// View is somebody looking at the invoice.
type View struct {
	Visit domain.Visit
	// Version is what they have before them. One that the document is no longer
	// at is refused with domain.ErrVersion: nobody saw what the log would say.
	// Zero is the present one.
	Version int
}

// Decide records the view as that of whoever looks: a contact, or staff, who
// are never taken for one. Programs do not view.
func (c View) Decide(s State) ([]Event, error) {
	if s.ID == "" || s.Number == 0 && c.Visit.By.SeesAsContact() {
		return nil, ErrNotFound // a draft is nothing to a customer
	}
	var check domain.Check
	c.Visit.Check(&check)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if c.Version != 0 && c.Version != s.Version {
		return nil, domain.ErrVersion.With(domain.VersionMismatch{Expected: c.Version, Current: s.Version})
	}
	if s.Views.Cover(c.Visit.Of(s.Version)) {
		return nil, nil
	}
	switch c.Visit.By.Kind {
	case domain.Contact:
		return c.byContact(s)
	case domain.Staff, domain.StaffAsContact:
		return []Event{ViewedByStaff{
			CustomerID: s.CustomerID, StaffID: c.Visit.By.ID, ActingFor: c.Visit.By.ActingFor,
			Session: c.Visit.Session, Version: s.Version, At: c.Visit.At,
		}}, nil
	case domain.Integration, domain.System:
	}
	return nil, nil
}

func (c View) byContact(s State) ([]Event, error) {
	shown, err := s.Shown()
	if err != nil {
		return nil, err
	}
	hash, err := domain.Hash(c.Visit.Salt, shown)
	if err != nil {
		return nil, err
	}
	return []Event{Viewed{
		CustomerID: s.CustomerID, ContactID: c.Visit.By.ID, Session: c.Visit.Session,
		Version: s.Version, Total: s.Billed, Balance: s.Balance(), Language: c.Visit.Language,
		Schema: shown.Schema, Hash: hash, Salt: c.Visit.Salt, At: c.Visit.At,
	}}, nil
}
