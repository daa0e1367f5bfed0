package quotes

import (
	"context"
	"time"

	"portal.example/commands"
	"portal.example/domain/quote"
	"portal.example/internal/reactions"
)

// expire lets an offer expire that nobody answers. A quote that is sent again,
// with another expiry, wakes it again.
func expire(room *commands.Room) reactions.Reaction {
	return reactions.Reaction{
		Name:  "quote-expiry",
		Event: "QuoteSent",
		Due: func(ctx context.Context, e reactions.Event) (time.Time, error) {
			q, err := commands.Look(ctx, room.Quotes, e.Stream)
			expires := q.HeldOffer().ExpiresAt
			if err != nil || q.Status != quote.StatusOpen || expires.IsZero() {
				return time.Time{}, err
			}
			return expires.Add(time.Microsecond), nil // it still can be approved at that very instant
		},
		Act: func(ctx context.Context, e reactions.Event) error {
			m, err := room.Reacting(e, "quotes.expire")
			if err != nil {
				return err
			}
			_, err = room.Quotes.Execute(ctx, e.Stream, m, quote.Expire{At: m.RecordedAt.Truncate(time.Microsecond)})
			return err
		},
	}
}
