package quote

import (
	"time"

	"portal.example/domain/lines"
	"portal.example/domain/money"
)

// ShownSchema names the shape of Shown. It stands in every view and signature,
// whose hash is of that shape: a changed shape is a new struct with a new name
// beside this one.
const ShownSchema = "quote/1"

// Shown is what a quote says to whoever reads it, in whatever layout. Its
// canonical JSON is what is hashed.
type Shown struct {
	Schema    string         `json:"schema"`
	QuoteID   string         `json:"quoteId"`
	Reference string         `json:"reference"`
	Version   int            `json:"version"`
	Currency  money.Currency `json:"currency"`
	Title     string         `json:"title"`
	Lines     []ShownLine    `json:"lines"`
	Totals    lines.Totals   `json:"totals"` // without the optional lines
	Deposit   money.Money    `json:"deposit,omitzero"`
	Terms     string         `json:"terms,omitempty"`
	ExpiresAt string         `json:"expiresAt,omitempty"` // RFC 3339, UTC
}

// ShownLine is a line with what it comes to.
type ShownLine struct {
	lines.Line
	Net money.Money `json:"net"`
}

// Shown is what the version held by the customer says. Without one it is not
// to be shown.
func (s State) Shown() (Shown, error) {
	offer := s.HeldOffer()
	shown := Shown{
		Schema: ShownSchema, QuoteID: s.ID, Reference: s.Reference, Version: s.Held, Currency: s.Currency,
		Title: offer.Title, Deposit: offer.Deposit, Terms: offer.Terms,
	}
	for _, l := range offer.Lines {
		net, err := l.Net()
		if err != nil {
			return Shown{}, err
		}
		shown.Lines = append(shown.Lines, ShownLine{Line: l, Net: net})
	}
	var err error
	if shown.Totals, err = offer.total(s.Currency, nil); err != nil {
		return Shown{}, err
	}
	if !offer.ExpiresAt.IsZero() {
		shown.ExpiresAt = offer.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	return shown, nil
}
