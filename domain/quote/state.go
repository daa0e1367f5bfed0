package quote

import (
	"maps"
	"time"

	"portal.example/domain"
	"portal.example/domain/money"
)

// State is a quote as its events tell it.
type State struct {
	ID         string
	BusinessID string
	CustomerID string
	Place      domain.Place
	RequestID  string
	Reference  string
	Currency   money.Currency
	Status     Status
	Version    int           // of the offer that staff work on
	Held       int           // version that the customer holds; 0: none yet
	Offers     map[int]Offer // by version: those that were sent, and the latest
	SentAt     time.Time     // of the version held
	Questions  map[string]Question
	Approval   Approval
	Views      domain.Views
}

// Status is how far a quote has come. Whether an offer can still be approved is
// a matter of the clock, see Expired: that it has expired is recorded a little
// later, and only where the customer never answered.
type Status string

// The states of a quote.
const (
	StatusDraft    Status = "draft"     // the customer holds no version
	StatusOpen     Status = "open"      // it is the customer's turn
	StatusInChange Status = "in-change" // the customer asked for changes: it is the business's turn
	StatusDeclined Status = "declined"
	StatusApproved Status = "approved"
	StatusExpired  Status = "expired" // without an answer
)

// Question is something a contact asked.
type Question struct {
	ContactID string
	AskedAt   time.Time
	Answered  bool
}

// Approval is who agreed to what.
type Approval struct {
	ContactID string
	Version   int
	Options   []string
	Total     money.Money
	At        time.Time
}

// DocumentVersion is the number in the ETag that staff get; customers get Held.
func (s State) DocumentVersion() int { return s.Version }

// Current is the offer that staff work on.
func (s State) Current() Offer { return s.Offers[s.Version] }

// HeldOffer is the offer that the customer holds.
func (s State) HeldOffer() Offer { return s.Offers[s.Held] }

// Expired says whether the offer that the customer holds can no longer be
// approved.
func (s State) Expired(at time.Time) bool {
	return s.Status == StatusExpired || s.HeldOffer().expired(at)
}

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	switch e := event.(type) {
	case Drafted:
		s.ID, s.BusinessID, s.CustomerID = e.QuoteID, e.BusinessID, e.CustomerID
		s.Place = domain.Place{PropertyID: e.PropertyID, UnitID: e.UnitID}
		s.RequestID, s.Reference, s.Currency = e.RequestID, e.Reference, e.Currency
		s.Status, s.Version = StatusDraft, 1
		s.Offers = map[int]Offer{1: e.Offer}
	case Revised:
		s.Offers = s.withOffer(e.Version, e.Offer)
		s.Version = e.Version
	case Sent:
		s.Status, s.Held, s.SentAt = StatusOpen, e.Version, e.At
	case Viewed:
		s.Views = s.Views.With(domain.RecentView{Session: e.Session, Version: e.Version, At: e.At})
	case ViewedByStaff:
		s.Views = s.Views.With(domain.RecentView{
			Session: e.Session, ActingFor: e.ActingFor, Version: e.Version, At: e.At,
		})
	case QuestionAsked:
		s.Questions = s.withQuestion(e.QuestionID, Question{ContactID: e.ContactID, AskedAt: e.At})
	case QuestionAnswered:
		question := s.Questions[e.QuestionID]
		question.Answered = true
		s.Questions = s.withQuestion(e.QuestionID, question)
	case ChangesRequested:
		s.Status = StatusInChange
	case Approved:
		s.Status = StatusApproved
		s.Approval = Approval{
			ContactID: e.ContactID, Version: e.Version, Options: e.Options, Total: e.Total, At: e.At,
		}
	case Declined:
		s.Status = StatusDeclined
	case Expired:
		s.Status = StatusExpired
	}
	return s
}

// withOffer keeps the new offer in place of one that nobody was ever sent.
func (s State) withOffer(version int, offer Offer) map[int]Offer {
	offers := maps.Clone(s.Offers)
	if s.Version > s.Held {
		delete(offers, s.Version)
	}
	offers[version] = offer
	return offers
}

func (s State) withQuestion(id string, q Question) map[string]Question {
	questions := make(map[string]Question, len(s.Questions)+1)
	maps.Copy(questions, s.Questions)
	questions[id] = q
	return questions
}
