package timeline

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/account"
	"portal.example/domain/business"
	"portal.example/domain/claim"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/domain/money"
	"portal.example/domain/parked"
	"portal.example/domain/payment"
	"portal.example/domain/quote"
	"portal.example/domain/request"
)

// Args are the arguments of a sentence. What is personal is not among them: it
// is looked up by its id when the sentence is made.
type Args struct {
	Name       string       `json:"name,omitempty"`      // of the business
	Contact    string       `json:"contactId,omitempty"` // who acted
	About      string       `json:"about,omitempty"`     // the contact whom it is about
	Invoice    string       `json:"invoiceId,omitempty"`
	Property   string       `json:"propertyId,omitempty"`
	Unit       string       `json:"unitId,omitempty"`
	Reference  string       `json:"reference,omitempty"`
	Number     int64        `json:"number,omitempty"`
	Version    int          `json:"version,omitempty"`
	Amount     *money.Money `json:"amount,omitempty"`
	Surplus    *money.Money `json:"surplus,omitempty"`
	Due        string       `json:"due,omitempty"` // a date
	Expires    *time.Time   `json:"expires,omitempty"`
	Method     string       `json:"method,omitempty"`
	Access     string       `json:"access,omitempty"`
	Channel    string       `json:"channel,omitempty"`
	Step       string       `json:"step,omitempty"`
	Handler    string       `json:"handler,omitempty"`
	Team       string       `json:"team,omitempty"`
	Next       string       `json:"next,omitempty"`
	Forum      string       `json:"forum,omitempty"`
	Outcome    string       `json:"outcome,omitempty"`
	SourceKind string       `json:"source,omitempty"`
}

// facts are what the timeline takes from an event.
type facts struct {
	at       time.Time
	customer string
	args     Args
}

func factsOf(event any) (facts, bool) {
	switch e := event.(type) {
	case quote.Event:
		return ofQuote(e), true
	case invoice.Event:
		return ofInvoice(e), true
	case request.Event:
		return ofRequest(e), true
	case customer.Event:
		return ofCustomer(e), true
	case payment.Event:
		return ofPayment(e), true
	case account.Event:
		return ofAccount(e), true
	case register.Event:
		return ofRegister(e), true
	case business.Event:
		return ofBusiness(e), true
	case claim.Event:
		return ofClaim(e), true
	case parked.Event:
		return ofParked(e), true
	}
	return facts{}, false
}

func ofQuote(event quote.Event) facts {
	switch e := event.(type) {
	case quote.Drafted:
		return facts{e.At, e.CustomerID, Args{Reference: e.Reference}}
	case quote.Revised:
		return facts{e.At, e.CustomerID, Args{Version: e.Version}}
	case quote.Sent:
		return facts{e.At, e.CustomerID, Args{Version: e.Version, Amount: &e.Total, Expires: optional(e.ExpiresAt)}}
	case quote.Viewed:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Version: e.Version, Amount: &e.Total}}
	case quote.ViewedByStaff:
		return facts{e.At, e.CustomerID, Args{About: e.ActingFor, Version: e.Version}}
	case quote.QuestionAsked:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Version: e.Version}}
	case quote.QuestionAnswered:
		return facts{e.At, e.CustomerID, Args{}}
	case quote.ChangesRequested:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Version: e.Version}}
	case quote.Approved:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Version: e.Version, Amount: &e.Total}}
	case quote.Declined:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Version: e.Version}}
	case quote.Expired:
		return facts{e.At, e.CustomerID, Args{Version: e.Version, Expires: &e.ExpiresAt}}
	}
	return facts{}
}

func ofInvoice(event invoice.Event) facts {
	switch e := event.(type) {
	case invoice.Drafted:
		return facts{e.At, e.CustomerID, Args{Reference: e.Reference}}
	case invoice.Revised:
		return facts{e.At, e.CustomerID, Args{}}
	case invoice.Frozen:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Total, Due: day(e.DueOn)}}
	case invoice.Issued:
		return facts{e.At, e.CustomerID, Args{Number: e.Number, Amount: &e.Total}}
	case invoice.Sent:
		return facts{e.At, e.CustomerID, Args{}}
	case invoice.DeliveryConfirmed:
		return facts{e.At, e.CustomerID, Args{}}
	case invoice.Viewed:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Version: e.Version, Amount: &e.Total}}
	case invoice.ViewedByStaff:
		return facts{e.At, e.CustomerID, Args{About: e.ActingFor, Version: e.Version}}
	case invoice.ExpenseAdded:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Amount}}
	case invoice.LateFeeAdded:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Amount}}
	case invoice.PaymentReceived:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Received, Surplus: some(e.Surplus)}}
	case invoice.CreditNoteIssued:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Amount, Surplus: some(e.Surplus)}}
	case invoice.Voided:
		return facts{e.At, e.CustomerID, Args{}}
	case invoice.SentToCollections:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Balance}}
	case invoice.DisputeOpened:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID, Forum: string(e.Forum)}}
	case invoice.DisputeAnswered:
		return facts{e.At, e.CustomerID, Args{Forum: string(e.Forum)}}
	case invoice.DisputeDecided:
		return facts{e.At, e.CustomerID, Args{Forum: string(e.Forum), Outcome: string(e.Outcome)}}
	case invoice.DisputeOutcomeNotified:
		return facts{e.At, e.CustomerID, Args{Forum: string(e.Forum)}}
	}
	return facts{}
}

func ofRequest(event request.Event) facts {
	switch e := event.(type) {
	case request.Filed:
		return facts{e.At, e.CustomerID, Args{
			Contact: e.ContactID, Channel: e.Channel, Reference: e.Reference,
			Handler: e.Handler.StaffID, Team: e.Handler.Team,
		}}
	case request.Triaged:
		return facts{e.At, e.CustomerID, Args{Step: e.Step, Handler: e.Handler.StaffID, Team: e.Handler.Team}}
	case request.AskedBack:
		return facts{e.At, e.CustomerID, Args{}}
	case request.Replied:
		return facts{e.At, e.CustomerID, Args{Contact: e.ContactID}}
	case request.Accepted:
		return facts{e.At, e.CustomerID, Args{Next: string(e.Next)}}
	case request.Declined:
		return facts{e.At, e.CustomerID, Args{}}
	}
	return facts{}
}

func ofCustomer(event customer.Event) facts {
	switch e := event.(type) {
	case customer.Added:
		return facts{e.At, e.CustomerID, Args{Reference: e.Reference}}
	case customer.ContactAdded:
		return facts{e.At, e.CustomerID, Args{About: e.ContactID, Access: string(e.Rights.Access)}}
	case customer.ContactRightsChanged:
		return facts{e.At, e.CustomerID, Args{About: e.ContactID, Access: string(e.After.Access)}}
	case customer.PropertyAdded:
		return facts{e.At, e.CustomerID, Args{Property: e.PropertyID}}
	case customer.UnitAdded:
		return facts{e.At, e.CustomerID, Args{Property: e.PropertyID, Unit: e.UnitID}}
	}
	return facts{}
}

func ofPayment(event payment.Event) facts {
	switch e := event.(type) {
	case payment.Recorded:
		return facts{e.At, e.CustomerID, Args{Invoice: e.InvoiceID, Method: string(e.Method), Amount: &e.Amount}}
	case payment.Allocated:
		return facts{e.At, e.CustomerID, Args{Invoice: e.InvoiceID, Amount: &e.Amount}}
	case payment.Credited:
		return facts{e.At, e.CustomerID, Args{Amount: &e.Amount}}
	}
	return facts{}
}

func ofAccount(event account.Event) facts {
	switch e := event.(type) {
	case account.Credited:
		return facts{e.At, e.CustomerID, Args{Invoice: e.InvoiceID, SourceKind: string(e.Source), Amount: &e.Amount}}
	}
	return facts{}
}

func ofRegister(event register.Event) facts {
	switch e := event.(type) {
	case register.NumberTaken:
		return facts{e.At, "", Args{Invoice: e.InvoiceID, Number: e.Number}}
	}
	return facts{}
}

func ofBusiness(event business.Event) facts {
	switch e := event.(type) {
	case business.Registered:
		return facts{e.At, "", Args{Name: e.Name}}
	case business.PortalOpened:
		return facts{e.At, "", Args{}}
	case business.PortalClosed:
		return facts{e.At, "", Args{}}
	}
	return facts{}
}

func ofClaim(event claim.Event) facts {
	switch e := event.(type) {
	case claim.Taken:
		return facts{e.At, "", Args{}}
	}
	return facts{}
}

func ofParked(event parked.Event) facts {
	switch e := event.(type) {
	case parked.Discarded:
		return facts{e.At, "", Args{Name: e.Group, Step: e.EventType}}
	}
	return facts{}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func some(m money.Money) *money.Money {
	if m.Amount == 0 {
		return nil
	}
	return &m
}

func day(d domain.Date) string {
	if d == (domain.Date{}) {
		return ""
	}
	return d.String()
}
