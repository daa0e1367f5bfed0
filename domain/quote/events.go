// Package quote is a quote: an offer with line items that staff draft, revise
// and send, and that the customer looks at, asks about, and approves or not.
//
// Stream: quote-<quote>.
//
// An offer has versions. Drafting makes version 1 and each revision the next
// one; what the customer holds is the version that was sent last, and only that
// one can be approved.
package quote

import (
	"time"

	"portal.example/domain/money"
)

// Category is the category of the streams.
const Category = "quote"

// Stream is the stream of a quote.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to a quote.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"QuoteDrafted":          Drafted{},
	"QuoteRevised":          Revised{},
	"QuoteSent":             Sent{},
	"QuoteViewed":           Viewed{},
	"QuoteViewedByStaff":    ViewedByStaff{},
	"QuoteQuestionAsked":    QuestionAsked{},
	"QuoteQuestionAnswered": QuestionAnswered{},
	"QuoteChangesRequested": ChangesRequested{},
	"QuoteApproved":         Approved{},
	"QuoteDeclined":         Declined{},
	"QuoteExpired":          Expired{},
}

// Drafted says that staff began a quote: its version 1.
type Drafted struct {
	QuoteID    string         `json:"quoteId"`
	BusinessID string         `json:"businessId"`
	CustomerID string         `json:"customerId"`
	PropertyID string         `json:"propertyId,omitempty"`
	UnitID     string         `json:"unitId,omitempty"`
	RequestID  string         `json:"requestId,omitempty"` // that it answers
	Reference  string         `json:"reference"`           // what people call it: Q-1042
	Currency   money.Currency `json:"currency"`
	Offer      Offer          `json:"offer"`
	At         time.Time      `json:"at"`
}

// Revised says that staff changed the offer. The customer goes on holding the
// version sent before, until this one is sent.
type Revised struct {
	CustomerID string    `json:"customerId"`
	Version    int       `json:"version"`
	Offer      Offer     `json:"offer"`
	At         time.Time `json:"at"`
}

// Sent says that the customer holds this version now, and no older one.
type Sent struct {
	CustomerID string      `json:"customerId"`
	Version    int         `json:"version"`
	Total      money.Money `json:"total"` // without the optional lines
	ExpiresAt  time.Time   `json:"expiresAt,omitzero"`
	At         time.Time   `json:"at"`
}

// Viewed says that a contact of the customer had the offer before them.
type Viewed struct {
	CustomerID string      `json:"customerId"`
	ContactID  string      `json:"contactId"`
	Session    string      `json:"session"`
	Version    int         `json:"version"`
	Total      money.Money `json:"total"` // as shown, without the optional lines
	Language   string      `json:"language"`
	Schema     string      `json:"schema"` // of the Shown that was hashed
	Hash       string      `json:"hash"`   // see domain.Hash
	Salt       string      `json:"salt" personal:"ContactID"`
	At         time.Time   `json:"at"`
}

// ViewedByStaff says that a member of the business looked at the quote. It is
// never the customer's view, whichever eyes it was seen through.
type ViewedByStaff struct {
	CustomerID string    `json:"customerId"`
	StaffID    string    `json:"staffId"`
	ActingFor  string    `json:"actingFor,omitempty"` // the contact whose page staff saw
	Session    string    `json:"session"`
	Version    int       `json:"version"`
	At         time.Time `json:"at"`
}

// QuestionAsked says that a contact wants to know something about the offer.
type QuestionAsked struct {
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId"`
	QuestionID string    `json:"questionId"`
	Version    int       `json:"version"`
	Text       string    `json:"text" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// QuestionAnswered says that staff answered a question.
type QuestionAnswered struct {
	CustomerID string    `json:"customerId"`
	QuestionID string    `json:"questionId"`
	Text       string    `json:"text" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// ChangesRequested says that a contact would take the offer if it were another.
type ChangesRequested struct {
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId"`
	Version    int       `json:"version"`
	Text       string    `json:"text" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// Approved says that a contact agreed to a version and signed it.
type Approved struct {
	CustomerID     string      `json:"customerId"`
	ContactID      string      `json:"contactId"`
	Session        string      `json:"session"`
	Version        int         `json:"version"`
	Options        []string    `json:"options,omitempty"` // ids of the optional lines taken
	Total          money.Money `json:"total"`             // agreed to, options included
	Deposit        money.Money `json:"deposit,omitzero"`
	SignedName     string      `json:"signedName" personal:"ContactID"` // as typed
	ConsentVersion string      `json:"consentVersion"`                  // of the text agreed to
	Language       string      `json:"language"`
	Schema         string      `json:"schema"`
	Hash           string      `json:"hash"` // of what was shown, see domain.Hash
	Salt           string      `json:"salt" personal:"ContactID"`
	At             time.Time   `json:"at"`
}

// Declined says that a contact does not want what a version offers.
type Declined struct {
	CustomerID string    `json:"customerId"`
	ContactID  string    `json:"contactId"`
	Version    int       `json:"version"`
	Reason     string    `json:"reason" personal:"CustomerID"`
	At         time.Time `json:"at"`
}

// Expired says that the time for an answer is over, and that there was none.
type Expired struct {
	CustomerID string    `json:"customerId"`
	Version    int       `json:"version"`
	ExpiresAt  time.Time `json:"expiresAt"` // the last instant at which it could be approved
	At         time.Time `json:"at"`
}

func (Drafted) isEvent()          {}
func (Revised) isEvent()          {}
func (Sent) isEvent()             {}
func (Viewed) isEvent()           {}
func (ViewedByStaff) isEvent()    {}
func (QuestionAsked) isEvent()    {}
func (QuestionAnswered) isEvent() {}
func (ChangesRequested) isEvent() {}
func (Approved) isEvent()         {}
func (Declined) isEvent()         {}
func (Expired) isEvent()          {}
