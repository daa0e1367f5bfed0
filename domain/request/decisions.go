package request

import (
	"fmt"
	"time"

	"portal.example/domain"
)

const maxSlots = 3

// What a request can be refused for.
var (
	ErrNotFound = &domain.Error{Kind: domain.NotFound, Code: "request_not_found", Message: "there is no such request"}
	ErrExists   = &domain.Error{Kind: domain.Conflict, Code: "request_exists", Message: "the request exists already"}
	ErrAccepted = &domain.Error{Kind: domain.Conflict, Code: "request_accepted", Message: "the request has been accepted"}
	ErrDeclined = &domain.Error{Kind: domain.Conflict, Code: "request_declined", Message: "the request has been declined"}
	ErrNotAsked = &domain.Error{Kind: domain.Conflict, Code: "request_not_asked_back", Message: "nothing was asked that could be replied to"}
)

// File brings a request in: a contact through the portal, or staff and imports
// through whichever channel it came. Whoever sends it has looked up that the
// customer belongs to the business and the place to the customer.
type File struct {
	By         domain.Actor
	RequestID  string
	BusinessID string
	CustomerID string
	PropertyID string
	UnitID     string
	Kind       Kind
	Channel    string
	Reference  string
	Subject    string // what is wanted
	Details    string
	Slots      []Slot
	Handler    Handler
	Deadline   time.Time
	At         time.Time
}

// Decide files a request once.
func (c File) Decide(s State) ([]Event, error) {
	if c.By.Kind == domain.StaffAsContact || c.Channel == ChannelPortal && c.By.Kind != domain.Contact {
		return nil, domain.ErrOnlyContact
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.ID != "" {
		return nil, ErrExists
	}
	filed := Filed{
		RequestID: c.RequestID, BusinessID: c.BusinessID, CustomerID: c.CustomerID,
		PropertyID: c.PropertyID, UnitID: c.UnitID,
		Kind: c.Kind, Channel: c.Channel, Reference: c.Reference,
		Subject: c.Subject, Details: c.Details, Slots: c.Slots,
		Handler: c.Handler, Deadline: c.Deadline, At: c.At,
	}
	if c.By.Kind == domain.Contact {
		filed.ContactID = c.By.ID
	}
	return []Event{filed}, nil
}

func (c File) check() error {
	var check domain.Check
	check.ID("requestId", c.RequestID)
	check.ID("businessId", c.BusinessID)
	check.ID("customerId", c.CustomerID)
	check.OptionalID("propertyId", c.PropertyID)
	check.OptionalID("unitId", c.UnitID)
	domain.OneOf(&check, "kind", c.Kind, Lead, WorkOrder)
	if c.By.Kind == domain.Contact {
		domain.OneOf(&check, "channel", c.Channel, ChannelPortal)
	} else {
		check.Line("channel", c.Channel, 40)
	}
	check.OptionalLine("reference", c.Reference, 40)
	check.Line("subject", c.Subject, domain.MaxName)
	check.OptionalProse("details", c.Details)
	c.checkSlots(&check)
	c.Handler.check(&check)
	check.OptionalTime("deadline", c.Deadline)
	check.Time("at", c.At)
	return check.Err()
}

func (c File) checkSlots(check *domain.Check) {
	check.Count("slots", len(c.Slots), 0, maxSlots)
	for i, slot := range c.Slots[:min(len(c.Slots), maxSlots)] {
		at := fmt.Sprintf("slots[%d].", i)
		check.Time(at+"from", slot.From)
		check.Time(at+"until", slot.Until)
		switch {
		case slot.From.IsZero() || slot.Until.IsZero():
		case !slot.Until.After(slot.From):
			check.Fail(at+"until", "not_after_start", "must be after the slot's start")
		case slot.Until.Before(c.At):
			check.Fail(at+"until", "in_the_past", "must not be in the past")
		}
	}
}

func (h Handler) check(check *domain.Check) {
	check.OptionalLine("handler.staffId", h.StaffID, domain.MaxName)
	check.OptionalLine("handler.team", h.Team, domain.MaxName)
}

// open says whether something can still be decided about the request.
func (s State) open() error {
	switch {
	case s.ID == "":
		return ErrNotFound
	case s.Status == StatusAccepted:
		return ErrAccepted
	case s.Status == StatusDeclined:
		return ErrDeclined
	}
	return nil
}

// Triage takes a step towards an answer.
type Triage struct {
	Step    string
	Handler Handler
	At      time.Time
}

// Decide records every step, the same one again too, on a request that is not
// decided.
func (c Triage) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Line("step", c.Step, domain.MaxName)
	c.Handler.check(&check)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return []Event{Triaged{CustomerID: s.CustomerID, Step: c.Step, Handler: c.Handler, At: c.At}}, nil
}

// AskBack asks the customer for more. It is their turn then.
type AskBack struct {
	Question string
	At       time.Time
}

// Decide asks any number of questions.
func (c AskBack) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Prose("question", c.Question)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return []Event{AskedBack{CustomerID: s.CustomerID, Question: c.Question, At: c.At}}, nil
}

// Reply is the customer's answer. It is the business's turn again then.
type Reply struct {
	By   domain.Actor
	Text string
	At   time.Time
}

// Decide takes a reply to what was asked.
func (c Reply) Decide(s State) ([]Event, error) {
	if err := domain.OnlyContact(c.By); err != nil {
		return nil, err
	}
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Prose("text", c.Text)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	if s.Status != StatusAskedBack {
		return nil, ErrNotAsked
	}
	return []Event{Replied{CustomerID: s.CustomerID, ContactID: c.By.ID, Text: c.Text, At: c.At}}, nil
}

// Accept takes the request on.
type Accept struct {
	Next Next
	At   time.Time
}

// Decide accepts a request once.
func (c Accept) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	domain.OneOf(&check, "next", c.Next, NextQuote, NextAppointment)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return []Event{Accepted{CustomerID: s.CustomerID, Next: c.Next, At: c.At}}, nil
}

// Decline turns the request down.
type Decline struct {
	Reason string
	At     time.Time
}

// Decide declines a request once.
func (c Decline) Decide(s State) ([]Event, error) {
	if s.ID == "" {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Prose("reason", c.Reason)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return []Event{Declined{CustomerID: s.CustomerID, Reason: c.Reason, At: c.At}}, nil
}
