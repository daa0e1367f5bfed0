package business

import "portal.example/domain/money"

// State is a business as its events tell it.
type State struct {
	ID       string
	Slug     string
	Name     string
	Currency money.Currency
	TimeZone string
	Language string
	Open     bool // whether customers can reach the portal
	Version  int
}

// DocumentVersion is the number in the record's ETag.
func (s State) DocumentVersion() int { return s.Version }

// Evolve folds one event in.
func (s State) Evolve(event Event) State {
	s.Version++
	switch e := event.(type) {
	case Registered:
		s.ID, s.Slug, s.Name = e.BusinessID, e.Slug, e.Name
		s.Currency, s.TimeZone, s.Language = e.Currency, e.TimeZone, e.Language
	case PortalOpened:
		s.Open = true
	case PortalClosed:
		s.Open = false
	}
	return s
}
