package request

import (
	"time"

	"portal.example/domain"
)

// ChannelPortal is the channel of what is filed in the portal. Other channels
// are called what the business calls them: "Desk", "Post".
const ChannelPortal = "portal"

// Kind is which queue a request lands in.
type Kind string

// The kinds of request.
const (
	Lead      Kind = "lead"       // something new: it wants a quote
	WorkOrder Kind = "work-order" // work that was agreed on: it wants an appointment
)

// Slot is a span of time that would suit the customer.
type Slot struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Handler is a member of staff and their team, as the business calls them.
type Handler struct {
	StaffID string `json:"staffId,omitempty"`
	Team    string `json:"team,omitempty"`
}

// Next is what an accepted request leads to.
type Next string

// What can come next.
const (
	NextQuote       Next = "quote"
	NextAppointment Next = "appointment"
)

// State is a request as its events tell it.
type State struct {
	ID         string
	BusinessID string
	CustomerID string
	Place      domain.Place
	Kind       Kind
	Channel    string
	Status     Status
	FiledAt    time.Time
	Waiting    time.Time // since when it is the business's turn; zero if it is not
	Version    int
}

// Status is how far a request has come.
type Status string

// The states of a request.
const (
	StatusFiled     Status = "filed"      // it is the business's turn
	StatusAskedBack Status = "asked-back" // it is the customer's turn
	StatusAccepted  Status = "accepted"
	StatusDeclined  Status = "declined"
)

// DocumentVersion is the number in the request's ETag.
func (s State) DocumentVersion() int { return s.Version }

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Filed:
		s.ID, s.BusinessID, s.CustomerID = e.RequestID, e.BusinessID, e.CustomerID
		s.Place = domain.Place{PropertyID: e.PropertyID, UnitID: e.UnitID}
		s.Kind, s.Channel = e.Kind, e.Channel
		s.Status, s.FiledAt, s.Waiting = StatusFiled, e.At, e.At
	case Triaged:
		return s // a step on the way, which leaves the request as it was
	case AskedBack:
		s.Status, s.Waiting = StatusAskedBack, time.Time{}
	case Replied:
		s.Status, s.Waiting = StatusFiled, e.At
	case Accepted:
		s.Status, s.Waiting = StatusAccepted, time.Time{}
	case Declined:
		s.Status, s.Waiting = StatusDeclined, time.Time{}
	}
	s.Version++
	return s
}
