package quotes

import (
	"time"

	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/projections/table"
)

type row struct {
	table.Origin
	CustomerID    string     `db:"customer_id"`
	QuoteID       string     `db:"quote_id"`
	PropertyID    string     `db:"property_id"`
	UnitID        string     `db:"unit_id"`
	RequestID     string     `db:"request_id"`
	Reference     string     `db:"reference"`
	Currency      string     `db:"currency"`
	Status        string     `db:"status"`
	Version       int        `db:"version"`
	Title         string     `db:"title"`
	Total         int64      `db:"total"`
	Held          int        `db:"held"`
	HeldTitle     string     `db:"held_title"`
	HeldTotal     int64      `db:"held_total"`
	ExpiresAt     *time.Time `db:"expires_at"`
	ApprovedTotal *int64     `db:"approved_total"`
	OpenQuestions int        `db:"open_questions"`
	DraftedAt     *time.Time `db:"drafted_at"`
	SentAt        *time.Time `db:"sent_at"`
	ViewedAt      *time.Time `db:"viewed_at"`
	LastViewedAt  *time.Time `db:"last_viewed_at"`
	ApprovedAt    *time.Time `db:"approved_at"`
	DeclinedAt    *time.Time `db:"declined_at"`
	table.Details[Details]
}

var quotes = table.New[row]("quotes", "quote_id")

// Details are what is kept of a quote beside its columns.
type Details struct {
	Current   Offer      `json:"current"`        // what staff work on
	Held      *Offer     `json:"held,omitempty"` // what the customer holds
	Questions []Question `json:"questions,omitempty"`
	Wishes    []Wish     `json:"wishes,omitempty"`
	Approval  *Approval  `json:"approval,omitempty"`
	Declined  *Wish      `json:"declined,omitempty"`
}

// Offer is a version with what it comes to.
type Offer struct {
	Version int `json:"version"`
	quote.Offer
	Totals lines.Totals `json:"totals"` // without the optional lines
}

// Question is what a contact asked, and what staff answered.
type Question struct {
	ID        string    `json:"id"`
	ContactID string    `json:"contactId"`
	Version   int       `json:"version"`
	Text      string    `json:"text"`
	At        time.Time `json:"at"`
	Answers   []Answer  `json:"answers,omitempty"`
}

// Answer is staff's.
type Answer struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Wish is what a contact said about a version, other than yes: which changes
// they would like, or why they decline.
type Wish struct {
	ContactID string    `json:"contactId"`
	Version   int       `json:"version"`
	Text      string    `json:"text"`
	At        time.Time `json:"at"`
}

// Approval is who signed what.
type Approval struct {
	ContactID      string      `json:"contactId"`
	Version        int         `json:"version"`
	Options        []string    `json:"options,omitempty"`
	Total          money.Money `json:"total"`
	Deposit        money.Money `json:"deposit,omitzero"`
	SignedName     string      `json:"signedName"`
	ConsentVersion string      `json:"consentVersion"`
	Hash           string      `json:"hash"` // of what was shown
	At             time.Time   `json:"at"`
}
