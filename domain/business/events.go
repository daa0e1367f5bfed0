// Package business is a business that uses the portal: its name, its currency,
// its time zone, and whether its portal is open.
//
// Stream: business-<business>. Its slug is claimed apart, see package claim.
package business

import (
	"time"

	"portal.example/domain/money"
)

// Category is the category of the streams.
const Category = "business"

// Stream is the stream of a business.
func Stream(id string) string { return Category + "-" + id }

// Event is something that happened to a business.
//
//sumtype:decl
type Event interface{ isEvent() }

// Types are the names under which the log stores the events.
var Types = map[string]Event{
	"BusinessRegistered":   Registered{},
	"BusinessPortalOpened": PortalOpened{},
	"BusinessPortalClosed": PortalClosed{},
}

// Registered says that a business started to use the portal.
type Registered struct {
	BusinessID string         `json:"businessId"`
	Slug       string         `json:"slug"`
	Name       string         `json:"name"`
	Currency   money.Currency `json:"currency"` // of its documents, where they do not say otherwise
	TimeZone   string         `json:"timeZone"` // IANA name; a date means midnight there
	Language   string         `json:"language"` // en or ja
	At         time.Time      `json:"at"`
}

// PortalOpened says that customers can reach the portal.
type PortalOpened struct {
	At time.Time `json:"at"`
}

// PortalClosed says that customers cannot reach the portal; staff still can.
type PortalClosed struct {
	At time.Time `json:"at"`
}

func (Registered) isEvent()   {}
func (PortalOpened) isEvent() {}
func (PortalClosed) isEvent() {}
