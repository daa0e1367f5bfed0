// Package request is work that somebody asked for: filed by the customer in the
// portal, or taken in by staff at a desk, on the telephone or from a letter;
// then triaged, and accepted or declined.
//
// Stream: request-<request>.
package request

import "time"

// Category is the category of the streams.
const Category = "request"

// Stream is the stream of a request.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to a request.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"RequestFiled":     Filed{},
	"RequestTriaged":   Triaged{},
	"RequestAskedBack": AskedBack{},
	"RequestReplied":   Replied{},
	"RequestAccepted":  Accepted{},
	"RequestDeclined":  Declined{},
}

// Filed says that a request reached the business.
type Filed struct {
	RequestID  string    `json:"requestId"`
	BusinessID string    `json:"businessId"`
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId,omitempty"` // who filed it in the portal
	PropertyID string    `json:"propertyId,omitempty"`
	UnitID     string    `json:"unitId,omitempty"`
	Kind       Kind      `json:"kind"`
	Channel    string    `json:"channel"`             // see ChannelPortal
	Reference  string    `json:"reference,omitempty"` // the request's number in another system
	Subject    string    `json:"subject" personal:"CustomerID"`
	Details    string    `json:"details,omitempty" personal:"CustomerID"`
	Slots      []Slot    `json:"slots,omitempty"`   // when it suits, best first
	Handler    Handler   `json:"handler,omitzero"`  // who took it in, if not the customer
	Deadline   time.Time `json:"deadline,omitzero"` // by when an answer was promised
	At         time.Time `json:"at"`
}

// Triaged says that staff took a step towards an answer.
type Triaged struct {
	CustomerID string    `json:"customerId"`
	Step       string    `json:"step"` // as the business calls it
	Handler    Handler   `json:"handler,omitzero"`
	At         time.Time `json:"at"`
}

// AskedBack says that staff need to know more from the customer.
type AskedBack struct {
	CustomerID string    `json:"customerId"`
	Question   string    `json:"question" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// Replied says that the customer told them.
type Replied struct {
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId"`
	Text       string    `json:"text" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// Accepted says that the business will do something about it.
type Accepted struct {
	CustomerID string    `json:"customerId"`
	Next       Next      `json:"next"`
	At         time.Time `json:"at"`
}

// Declined says that the business will not.
type Declined struct {
	CustomerID string    `json:"customerId"`
	Reason     string    `json:"reason" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

func (Filed) isEvent()     {}
func (Triaged) isEvent()   {}
func (AskedBack) isEvent() {}
func (Replied) isEvent()   {}
func (Accepted) isEvent()  {}
func (Declined) isEvent()  {}
