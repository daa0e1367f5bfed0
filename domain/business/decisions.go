package business

import (
	"regexp"
	"time"

	"portal.example/domain"
	"portal.example/domain/money"
)

// What a business can be refused for.
var (
	ErrNotFound = &domain.Error{Kind: domain.NotFound, Code: "business_not_found", Message: "there is no such business"}
	ErrExists   = &domain.Error{Kind: domain.Conflict, Code: "business_exists", Message: "the business is registered already"}
)

var slug = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// Register starts a business with its portal open. Whoever sends it has
// claimed the slug before.
type Register struct {
	BusinessID string
	Slug       string
	Name       string
	Currency   money.Currency
	TimeZone   *time.Location // resolved, which proves that it exists
	Language   string
	At         time.Time
}

// Decide registers a business once.
func (c Register) Decide(s State) ([]Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.ID != "" {
		return nil, ErrExists
	}
	return []Event{
		Registered{
			BusinessID: c.BusinessID, Slug: c.Slug, Name: c.Name, Currency: c.Currency,
			TimeZone: c.TimeZone.String(), Language: c.Language, At: c.At,
		},
		PortalOpened{At: c.At},
	}, nil
}

func (c Register) check() error {
	var check domain.Check
	check.ID("businessId", c.BusinessID)
	if !slug.MatchString(c.Slug) {
		check.Fail("slug", "not_a_slug", "must be at most 63 lower-case letters, digits and dashes, no dash at either end")
	}
	check.Line("name", c.Name, domain.MaxName)
	money.CheckCurrency(&check, "currency", c.Currency)
	if c.TimeZone == nil || c.TimeZone == time.Local {
		check.Fail("timeZone", "not_a_time_zone", "must be the name of a time zone, such as Europe/Rome")
	}
	check.Language("language", c.Language)
	check.Time("at", c.At)
	return check.Err()
}

// OpenPortal lets customers in.
type OpenPortal struct {
	At time.Time
}

// Decide opens a portal that is closed.
func (c OpenPortal) Decide(s State) ([]Event, error) {
	switch {
	case s.ID == "":
		return nil, ErrNotFound
	case s.Open:
		return nil, nil
	}
	return []Event{PortalOpened{At: c.At}}, nil
}

// ClosePortal keeps customers out.
type ClosePortal struct {
	At time.Time
}

// Decide closes a portal that is open.
func (c ClosePortal) Decide(s State) ([]Event, error) {
	switch {
	case s.ID == "":
		return nil, ErrNotFound
	case !s.Open:
		return nil, nil
	}
	return []Event{PortalClosed{At: c.At}}, nil
}
