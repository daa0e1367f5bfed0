package requests

import (
	"time"

	"portal.example/domain/request"
	"portal.example/projections/table"
)

type row struct {
	table.Origin
	CustomerID   string     `db:"customer_id"`
	RequestID    string     `db:"request_id"`
	ContactID    string     `db:"contact_id"`
	PropertyID   string     `db:"property_id"`
	UnitID       string     `db:"unit_id"`
	Kind         string     `db:"kind"`
	Channel      string     `db:"channel"`
	Reference    string     `db:"reference"`
	Subject      string     `db:"subject"`
	Status       string     `db:"status"`
	Handler      string     `db:"handler"`
	Team         string     `db:"team"`
	Version      int        `db:"version"`
	Deadline     *time.Time `db:"deadline"`
	FiledAt      *time.Time `db:"filed_at"`
	WaitingSince *time.Time `db:"waiting_since"`
	DecidedAt    *time.Time `db:"decided_at"`
	table.Details[Details]
}

var requests = table.New[row]("requests", "request_id")

// stepRow is a step of staff towards an answer. The customer does not see it.
type stepRow struct {
	table.Origin
	CustomerID string     `db:"customer_id"`
	RequestID  string     `db:"request_id"`
	Revision   int64      `db:"_revision"`
	Step       string     `db:"step"`
	Handler    string     `db:"handler"`
	Team       string     `db:"team"`
	TakenAt    *time.Time `db:"taken_at"`
}

var requestSteps = table.New[stepRow]("request_steps", "request_id", "_revision")

// Details are what is kept of a request beside its columns.
type Details struct {
	Text     string         `json:"text,omitempty"`
	Slots    []request.Slot `json:"slots,omitempty"` // when it suits, best first
	Messages []Message      `json:"messages,omitempty"`
	Next     string         `json:"next,omitempty" enum:"quote,appointment"` // what it was accepted for
	Declined string         `json:"declined,omitempty" doc:"why"`
}

// Message is a question of the business or what the customer replied.
type Message struct {
	ContactID string    `json:"contactId,omitempty"` // empty: the business
	Text      string    `json:"text"`
	At        time.Time `json:"at"`
}
